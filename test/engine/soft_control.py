"""What a ControlNet's layers weigh behind our node, as JSON: of SD1's thirteen, of SDXL's ten, of a T2I-adapter's four.

Arguments: the folder of our nodes, and ComfyUI's.
"""

import json
import sys

nodes, comfyui = sys.argv[1:]
sys.argv = [sys.argv[0], "--cpu"]
sys.path[:0] = [nodes, comfyui]

import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()

import torch  # noqa: E402
from comfy.controlnet import ControlNet, T2IAdapter  # noqa: E402
from soft_control import soft  # noqa: E402


def ones(count):
    return [torch.ones(1) for _ in range(count)]


def weights(control_net, control):
    applied = control_net.copy().set_cond_hint(None, strength=0.5)
    merged = applied.control_merge(control, None, None)
    return [float(layer) for key in ("input", "output", "middle") for layer in merged[key] if layer is not None]


adapter = {"input": [layer for one in ones(4) for layer in (None, None, one)]}
plain = ControlNet(None)
plain.control_model_wrapped = None
control_net = soft(plain)
print(
    json.dumps(
        [
            weights(control_net, {"output": ones(12), "middle": ones(1)}),
            weights(control_net.copy(), {"output": ones(9), "middle": ones(1)}),
            weights(soft(T2IAdapter(None, 3, 8, "nearest-exact")), adapter),
        ]
    )
)
