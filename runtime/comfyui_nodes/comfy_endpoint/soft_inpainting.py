"""Nodes for A1111's soft inpainting (extensions-builtin/soft-inpainting): a grey mask, and a result that shows where it changed.

Formulas and names of settings are A1111's.
"""

import numpy as np
import torch

# A cell looks at those around it, with the weight of a Gaussian that is cut off where it has become zero.
_REACH = 2
_SPREAD = 1.5
# The filters' narrowest window, in units of weight.
_NARROWEST = 1.0


def painted(mask, latent):
    """The mask in the latent's cells, [1, 1, height, width]; 1 is painted anew."""
    cells = mask.reshape((-1, 1) + mask.shape[-2:]).to(latent)
    return torch.nn.functional.interpolate(cells, size=latent.shape[-2:], mode="nearest")


def blend(original, current, share, contrast):
    """Between two latents, where also the lengths of their vectors are mixed, with an inclination to the longer one."""
    precise = torch.float32 if current.device.type == "mps" else torch.float64

    def length(latent):
        return torch.linalg.vector_norm(latent, dim=1, keepdim=True).to(precise)

    mixed = original * (1 - share) + current * share
    lengths = length(original) ** contrast * (1 - share) + length(current) ** contrast * share
    return mixed * (lengths ** (1 / contrast) / (length(mixed) + 0.00001)).to(mixed.dtype)


def keeping(model, samples, mask, schedule_bias, preservation, contrast):
    """A copy of the model that mixes what it draws with the original, the less the weaker the noise is."""
    original = model.model.process_latent_in(samples["samples"])

    def keep(step):
        current = step["denoised"]
        exponent = step["sigma"].flatten()[0] ** schedule_bias * preservation
        return blend(original.to(current), current, painted(mask, current) ** exponent, contrast)

    copied = model.clone()
    copied.set_model_sampler_post_cfg_function(keep)
    return copied


def _kernel():
    offsets = np.arange(-_REACH, _REACH + 1)
    square = offsets[:, None] ** 2.0 + offsets[None, :] ** 2.0
    zero = np.exp(-((_REACH + 1.0) ** 2) / _SPREAD**2)
    return np.maximum(0.0, (np.exp(-square / _SPREAD**2) - zero) / (1 - zero))


def filtered(cells, lowest, highest):
    """Every cell as the weighted mean of those around it whose values lie between two shares of their weight, 0 to 1."""
    kernel = _kernel()
    width = 2 * _REACH + 1

    def windows(values):
        around = np.lib.stride_tricks.sliding_window_view(np.pad(values, _REACH), (width, width))
        return around.reshape(cells.shape + (-1,))

    # Cells beyond the border have no weight.
    weights = windows(np.ones(cells.shape)) * kernel.reshape(-1)
    values = windows(cells.astype(np.float64))
    order = np.argsort(values, axis=-1, kind="stable")
    values, weights = np.take_along_axis(values, order, -1), np.take_along_axis(weights, order, -1)
    ends = np.cumsum(weights, axis=-1)
    total = ends[..., -1]
    start, end = total * lowest, total * highest
    middle = (start + end) / 2
    is_narrow = end - start < _NARROWEST
    start, end = np.where(is_narrow, middle - _NARROWEST / 2, start), np.where(is_narrow, middle + _NARROWEST / 2, end)
    is_over = is_narrow & (end > total)
    start, end = np.where(is_over, total - _NARROWEST, start), np.where(is_over, total, end)
    is_under = is_narrow & (start < 0)
    start, end = np.where(is_under, 0.0, start), np.where(is_under, _NARROWEST, end)
    starts = np.concatenate([np.zeros_like(ends[..., :1]), ends[..., :-1]], axis=-1)
    shared = np.maximum(np.minimum(end[..., None], ends) - np.maximum(start[..., None], starts), 0.0)
    weight = shared.sum(axis=-1)
    mean = (values * shared).sum(axis=-1) / np.where(weight == 0, 1.0, weight)
    return mean.astype(cells.dtype)


def changed(distance, share, preservation, mask_influence, threshold, contrast):
    """How much of the painted picture shows in each cell, 0 to 255: [height, width] from the distance between two latents."""
    scale = 1 - np.clip(share, 0, 1) ** (preservation / 2)
    scale = 0.5 * (1 - mask_influence) + scale * mask_influence
    half = threshold * (scale / (1.00001 - scale))
    cells = filtered(filtered(distance, 0.9, 1), 0.25, 0.75)
    # With a threshold of 0 every change shows.
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = 1 / (1 + (cells / half) ** contrast)
    kept = kept * kept * kept * (kept * (6 * kept - 15) + 10)
    return np.nan_to_num(255.0 * (1 - kept)).astype(np.uint8)


def _number(default, highest):
    return ("FLOAT", {"default": default, "min": 0.0, "max": highest, "step": 0.01, "round": False})


class ComfyEndpointSoftInpaint:
    """A model that keeps the original where the mask is grey, the less the weaker the noise is."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "samples": ("LATENT",),
                "mask": ("MASK",),
                "schedule_bias": _number(1.0, 100.0),
                "preservation": _number(0.5, 100.0),
                "contrast": _number(4.0, 100.0),
            }
        }

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "comfy-endpoint"

    def patch(self, model, samples, mask, schedule_bias, preservation, contrast):
        return (keeping(model, samples, mask, schedule_bias, preservation, contrast),)


class ComfyEndpointSoftInpaintMask:
    """Where the painted picture is to show: white where it differs from the original; a pixel per cell of the latent."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "original": ("LATENT",),
                "samples": ("LATENT",),
                "mask": ("MASK",),
                "preservation": _number(0.5, 100.0),
                "mask_influence": _number(0.0, 1.0),
                "threshold": _number(0.5, 100.0),
                "contrast": _number(2.0, 100.0),
            }
        }

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "compare"
    CATEGORY = "comfy-endpoint"

    def compare(self, model, original, samples, mask, preservation, mask_influence, threshold, contrast):
        before, after = (model.model.process_latent_in(latent["samples"]).float().cpu() for latent in (original, samples))
        distance = torch.linalg.vector_norm(after - before, dim=1).numpy()
        share = painted(mask.cpu(), after)[0, 0].numpy()
        levels = [changed(cells, share, preservation, mask_influence, threshold, contrast) for cells in distance]
        # A quarter more, so that the file gets exactly these, which ComfyUI rounds down.
        grey = (torch.from_numpy(np.stack(levels)).float() + 0.25) / 255.0
        return (grey.clamp(max=1.0)[..., None].repeat(1, 1, 1, 3),)
