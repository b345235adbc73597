"""A custom node as people publish them: with requirements, and with an `install.py` that writes beside it."""

from .weights import RED, GREEN, BLUE


class Greyscale:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "test"

    def run(self, image):
        grey = image[..., 0] * RED + image[..., 1] * GREEN + image[..., 2] * BLUE
        return (grey.unsqueeze(-1).repeat(1, 1, 1, 3),)


NODE_CLASS_MAPPINGS = {"Greyscale": Greyscale}
