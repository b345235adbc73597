/** The node classes of our own folder (runtime/comfyui_nodes), as ComfyUI's catalogue shows them. */
import type { InputSpec, NodeClass } from "./catalogue.ts";

type OwnClass = NodeClass & Record<string, unknown>;

const ownClass = (name: string, required: Record<string, InputSpec>, output: string): OwnClass => ({
  input: { required },
  input_order: { required: Object.keys(required) },
  output: [output],
  output_is_list: [false],
  output_name: [output],
  name,
  display_name: name,
  description: "",
  python_module: "custom_nodes.comfy_endpoint",
  category: "comfy-endpoint",
  output_node: false,
});

const number = (value: number, max: number): InputSpec => [
  "FLOAT",
  { default: value, min: 0, max, step: 0.01, round: false },
];

const INPAINT_MODEL: Record<string, InputSpec> = {
  model: ["MODEL"],
  vae: ["VAE"],
  pixels: ["IMAGE"],
  mask: ["MASK"],
  weight: number(1, 1),
};

const SOFT_INPAINT: Record<string, InputSpec> = {
  model: ["MODEL"],
  samples: ["LATENT"],
  mask: ["MASK"],
  schedule_bias: number(1, 100),
  preservation: number(0.5, 100),
  contrast: number(4, 100),
};

const SOFT_INPAINT_MASK: Record<string, InputSpec> = {
  model: ["MODEL"],
  original: ["LATENT"],
  samples: ["LATENT"],
  mask: ["MASK"],
  preservation: number(0.5, 100),
  mask_influence: number(0, 1),
  threshold: number(0.5, 100),
  contrast: number(2, 100),
};

export const OWN_CLASSES: Readonly<Record<string, OwnClass>> = Object.fromEntries(
  [
    ownClass("ComfyEndpointInpaintModel", INPAINT_MODEL, "MODEL"),
    ownClass("ComfyEndpointSoftControl", { control_net: ["CONTROL_NET"] }, "CONTROL_NET"),
    ownClass("ComfyEndpointSoftInpaint", SOFT_INPAINT, "MODEL"),
    ownClass("ComfyEndpointSoftInpaintMask", SOFT_INPAINT_MASK, "IMAGE"),
  ].map((own) => [own["name"] as string, own]),
);
