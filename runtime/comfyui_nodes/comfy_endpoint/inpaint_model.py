"""A node that tells an inpainting model of mask and picture as A1111 does (modules/processing.py, inpainting_image_conditioning)."""

import torch


def telling(model, vae, pixels, mask, weight):
    """A copy of the model, whose further channels are the mask and the picture that is left."""
    shown = mask.reshape((-1, 1) + mask.shape[-2:])
    # Grey is what the VAE calls zero.
    left = (pixels[..., :3] - 0.5) * (1 - weight * shown.movedim(1, -1)) + 0.5
    picture = model.model.process_latent_in(vae.encode(left))

    def concat_cond(**sampling):
        noise, device = sampling["noise"], sampling["device"]
        cells = torch.nn.functional.interpolate(shown.to(device), size=noise.shape[-2:], mode="nearest")
        both = torch.cat([cells, picture.to(cells)], dim=1)
        return both.expand((noise.shape[0], -1, -1, -1))

    copied = model.clone()
    copied.add_object_patch("concat_cond", concat_cond)
    return copied


class ComfyEndpointInpaintModel:
    """An inpainting model that knows what is masked; unlike with InpaintModelConditioning, the mask may be grey, and hide in part."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "vae": ("VAE",),
                "pixels": ("IMAGE",),
                "mask": ("MASK",),
                "weight": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01, "round": False}),
            }
        }

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "comfy-endpoint"

    def patch(self, model, vae, pixels, mask, weight):
        return (telling(model, vae, pixels, mask, weight),)
