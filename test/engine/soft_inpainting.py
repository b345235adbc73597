"""What our nodes for soft inpainting make of recorded latents, as JSON: a list of [blended, changed].

Arguments: the folder of our nodes, and the recording.
"""

import json
import sys
from types import SimpleNamespace

nodes, recording = sys.argv[1:]
sys.path[:0] = [nodes]

import torch  # noqa: E402
from soft_inpainting import ComfyEndpointSoftInpaint, ComfyEndpointSoftInpaintMask  # noqa: E402


class Model:
    """As much of ComfyUI's model as the nodes use."""

    def __init__(self):
        # As SD1's latents are scaled.
        self.model = SimpleNamespace(process_latent_in=lambda latent: latent * 0.5)

    def clone(self):
        return Model()

    def set_model_sampler_post_cfg_function(self, keep):
        self.keep = keep


def picture(mask):
    """A mask with eight by eight pixels per cell."""
    return (torch.tensor(mask).float() / 255).repeat_interleave(8, 0).repeat_interleave(8, 1)[None]


def run(case):
    bias, preservation, boost, influence, threshold, contrast = case["args"]
    original, current = torch.tensor([case["original"]]), torch.tensor([case["current"]])
    mask = picture(case["mask"])
    (model,) = ComfyEndpointSoftInpaint().patch(Model(), {"samples": original * 2}, mask, bias, preservation, boost)
    blended = model.keep({"denoised": current, "sigma": torch.tensor([case["sigma"]])})
    latents = {"samples": original * 2}, {"samples": current * 2}
    compare = ComfyEndpointSoftInpaintMask().compare
    (image,) = compare(model, *latents, mask, preservation, influence, threshold, contrast)
    # As ComfyUI's SaveImage does.
    return blended[0].tolist(), (255.0 * image[0, :, :, 0]).clamp(0, 255).to(torch.uint8).tolist()


with open(recording) as file:
    print(json.dumps([run(case) for case in json.load(file)]))
