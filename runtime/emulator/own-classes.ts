/** The node classes of our own folder (runtime/comfyui_nodes), as `/object_info` shows them on an engine that loads them. */
import { existsSync, readFileSync } from "node:fs";
import type { InputSpec, NodeClass } from "./catalogue.ts";

const float = (fallback: number, min = 0, max = 1e9): InputSpec => ["FLOAT", { default: fallback, min, max }];
const integer = (min: number, max: number): InputSpec => ["INT", { default: 0, min, max }];
const text = (fallback: string): InputSpec => ["STRING", { default: fallback }];

const MAX_SIDE = 16_384;
const MAX_STEPS = 10_000;

const ownClass = (name: string, output: string, required: Record<string, InputSpec>) => ({
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

export const OWN_CLASSES: Readonly<Record<string, NodeClass>> = {
  ComfyEndpointNoise: ownClass("ComfyEndpointNoise", "NOISE", {
    seeds: text("0"),
    subseeds: text(""),
    subseed_strength: float(0, -10, 10),
    seed_resize_from_w: integer(-1, MAX_SIDE),
    seed_resize_from_h: integer(-1, MAX_SIDE),
    source: [["NV", "CPU"]],
    multiplier: float(1, 0, 100),
    seed_delta: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    draws_before: integer(0, MAX_STEPS),
  }),
  ComfyEndpointSigmas: ownClass("ComfyEndpointSigmas", "SIGMAS", { sigmas: text("1, 0") }),
  ComfyEndpointSampler: ownClass("ComfyEndpointSampler", "SAMPLER", {
    sampler_name: text("euler"),
    eta: float(1),
    s_noise: float(1),
    s_churn: float(0),
    s_tmin: float(0),
    s_tmax: float(0),
    solver_type: [["midpoint", "heun"]],
    noise: [["own", "brownian"]],
    keeps_variance: ["BOOLEAN", { default: false }],
    noised_at: float(0),
  }),
  ComfyEndpointSoftControl: ownClass("ComfyEndpointSoftControl", "CONTROL_NET", { control_net: ["CONTROL_NET"] }),
  ComfyEndpointInpaintModel: ownClass("ComfyEndpointInpaintModel", "MODEL", {
    model: ["MODEL"],
    vae: ["VAE"],
    pixels: ["IMAGE"],
    mask: ["MASK"],
    weight: float(1, 0, 1),
  }),
  ComfyEndpointSoftInpaint: ownClass("ComfyEndpointSoftInpaint", "MODEL", {
    model: ["MODEL"],
    samples: ["LATENT"],
    mask: ["MASK"],
    schedule_bias: float(1, 0, 100),
    preservation: float(0.5, 0, 100),
    contrast: float(4, 0, 100),
  }),
  ComfyEndpointSoftInpaintMask: ownClass("ComfyEndpointSoftInpaintMask", "IMAGE", {
    model: ["MODEL"],
    original: ["LATENT"],
    samples: ["LATENT"],
    mask: ["MASK"],
    preservation: float(0.5, 0, 100),
    mask_influence: float(0, 0, 1),
    threshold: float(0.5, 0, 100),
    contrast: float(2, 0, 100),
  }),
};

/** Whether one of these files of model paths makes ComfyUI load them. */
export const namesOwnClasses = (files: readonly string[]): boolean =>
  files.some((file) => existsSync(file) && readFileSync(file, "utf8").includes("comfyui_nodes"));
