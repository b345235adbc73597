"""Nodes for A1111's noise, sigmas and samplers, to be used with SamplerCustomAdvanced."""

import torch

from .noise import GENERATORS, ImageNoise
from .sampler import BROWNIAN, OWN, Sampler, Seed

_CATEGORY = "comfy-endpoint"


def _integers(text):
    return [int(part) for part in text.split(",") if part.strip()]


class _Noise:
    def __init__(self, seeds, multiplier, draws_before, settings):
        self._seeds = seeds
        self._multiplier = multiplier
        self._draws_before = draws_before
        self._settings = settings
        self.seed = Seed(seeds, settings["source"], self._stream)

    def generate_noise(self, input_latent):
        samples = input_latent["samples"]
        if self._multiplier == 0:
            return torch.zeros_like(samples, device="cpu", dtype=torch.float32)
        return self._drawn_from(samples.shape).first() * self._multiplier

    def _drawn_from(self, shape):
        if len(self._seeds) != shape[0]:
            raise ValueError(f"{len(self._seeds)} seeds for a batch of {shape[0]}")
        return ImageNoise(shape[1:], self._seeds, **self._settings)

    def _stream(self, like):
        """What the samplers draw after the first noise: a function of the tensor to imitate."""
        noise = self._drawn_from(like.shape)
        noise.first()
        for _ in range(self._draws_before):
            noise.next()
        return lambda x: noise.next().to(x)


class ComfyEndpointNoise:
    """The noise of a batch of pictures, each from a seed of its own."""

    @classmethod
    def INPUT_TYPES(cls):
        # Texts of whole numbers, one for each picture of the batch, separated by commas.
        size = {"default": 0, "min": -1, "max": 16384}
        return {
            "required": {
                "seeds": ("STRING", {"default": "0"}),
                "subseeds": ("STRING", {"default": ""}),
                "subseed_strength": ("FLOAT", {"default": 0.0, "min": -10.0, "max": 10.0}),
                "seed_resize_from_w": ("INT", size),
                "seed_resize_from_h": ("INT", size),
                "source": (list(GENERATORS),),
                "multiplier": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 100.0}),
                "seed_delta": ("INT", {"default": 0, "min": 1 - 2**53, "max": 2**53 - 1}),
                # Noises that a sampler drew for the steps before.
                "draws_before": ("INT", {"default": 0, "min": 0, "max": 10000}),
            }
        }

    RETURN_TYPES = ("NOISE",)
    FUNCTION = "noise"
    CATEGORY = _CATEGORY

    def noise(
        self,
        seeds,
        subseeds,
        subseed_strength,
        seed_resize_from_w,
        seed_resize_from_h,
        source,
        multiplier,
        seed_delta,
        draws_before,
    ):
        settings = {
            "subseeds": _integers(subseeds),
            "subseed_strength": subseed_strength,
            "resize_from": (seed_resize_from_h, seed_resize_from_w),
            "source": source,
            "seed_delta": seed_delta,
        }
        return (_Noise(_integers(seeds), multiplier, draws_before, settings),)


class ComfyEndpointSigmas:
    """Sigmas as they are written: decimal numbers, separated by commas."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"sigmas": ("STRING", {"default": "1, 0"})}}

    RETURN_TYPES = ("SIGMAS",)
    FUNCTION = "sigmas"
    CATEGORY = _CATEGORY

    def sigmas(self, sigmas):
        return (torch.FloatTensor([float(part) for part in sigmas.split(",") if part.strip()]),)


class ComfyEndpointSampler:
    """A sampler that runs as A1111's does."""

    @classmethod
    def INPUT_TYPES(cls):
        number = {"default": 0.0, "min": 0.0, "max": 1e9}
        return {
            "required": {
                "sampler_name": ("STRING", {"default": "euler"}),
                "eta": ("FLOAT", {**number, "default": 1.0}),
                "s_noise": ("FLOAT", {**number, "default": 1.0}),
                "s_churn": ("FLOAT", number),
                "s_tmin": ("FLOAT", number),
                # 0: no limit.
                "s_tmax": ("FLOAT", number),
                "solver_type": (["midpoint", "heun"],),
                "noise": ([OWN, BROWNIAN],),
                "keeps_variance": ("BOOLEAN", {"default": False}),
                "noised_at": ("FLOAT", number),
            }
        }

    RETURN_TYPES = ("SAMPLER",)
    FUNCTION = "sampler"
    CATEGORY = _CATEGORY

    def sampler(self, sampler_name, noise, keeps_variance, noised_at, s_tmax, **options):
        return (Sampler(sampler_name, noise, keeps_variance, noised_at, {**options, "s_tmax": s_tmax or float("inf")}),)


SAMPLING_NODES = {
    "ComfyEndpointNoise": ComfyEndpointNoise,
    "ComfyEndpointSigmas": ComfyEndpointSigmas,
    "ComfyEndpointSampler": ComfyEndpointSampler,
}
