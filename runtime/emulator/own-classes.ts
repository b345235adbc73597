/** The node classes of our own folder (runtime/comfyui_nodes), as ComfyUI's catalogue shows them. */
import type { NodeClass } from "./catalogue.ts";

export const OWN_CLASSES: Readonly<Record<string, NodeClass & Record<string, unknown>>> = {
  ComfyEndpointSoftControl: {
    input: { required: { control_net: ["CONTROL_NET"] } },
    input_order: { required: ["control_net"] },
    output: ["CONTROL_NET"],
    output_is_list: [false],
    output_name: ["CONTROL_NET"],
    name: "ComfyEndpointSoftControl",
    display_name: "ComfyEndpointSoftControl",
    description: "",
    python_module: "custom_nodes.comfy_endpoint",
    category: "comfy-endpoint",
    output_node: false,
  },
};
