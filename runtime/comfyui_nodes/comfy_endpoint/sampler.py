"""ComfyUI's samplers run the way A1111 runs them.

What differs from ComfyUI: the noise is scaled by the first sigma alone; the network is told times between two steps of its
table as they are, not rounded; what a sampler draws on its way comes from the generator of each picture, and Brownian noise from
a tree of each picture's seed; a masked latent is kept by replacing the prediction, without noising it anew; and DDIM and UniPC
work on latents that keep their variance (A1111's timestep samplers), so they are entered and left by a factor.
What cannot be had: ComfyUI's steps themselves, where they differ from k-diffusion's (LMS ends with the prediction itself), and
the Brownian noise of a card (`randn_source` NV or GPU) where there is none.
"""

import contextlib
import inspect

import comfy.model_sampling
import comfy.samplers
import torch
from comfy.extra_samplers import uni_pc
from comfy.k_diffusion import sampling as k_diffusion

BROWNIAN = "brownian"
OWN = "own"


class Seed(int):
    """A picture's seed, which ComfyUI hands from the noise to the sampler: with it goes where further noise comes from."""

    def __new__(cls, seeds, source, stream):
        seed = super().__new__(cls, seeds[0])
        seed.seeds = seeds
        seed.source = source
        seed.stream = stream
        return seed


class Sampler(comfy.samplers.Sampler):
    def __init__(self, name, noise, keeps_variance, noised_at, options):
        """
        :param noise: OWN or BROWNIAN, for samplers that draw noise on their way
        :param keeps_variance: whether the sampler is one of A1111's timestep samplers
        :param noised_at: the sigma that a latent of theirs is noised to, which is not that of their first step
        :param options: those that the sampler's function does not know are left out
        """
        self._function = _FUNCTIONS.get(name) or getattr(k_diffusion, f"sample_{name}")
        self._noise = noise
        self._keeps_variance = keeps_variance
        self._noised_at = noised_at
        known = inspect.signature(self._function).parameters
        self._options = {key: value for key, value in options.items() if key in known}
        self._draws = "noise_sampler" in known

    def sample(self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False):
        model_sampling = model_wrap.inner_model.model_sampling
        extra_args["denoise_mask"] = denoise_mask
        model = _Model(model_wrap, sigmas, self._keeps_variance)
        model.latent_image = latent_image
        model.noise = noise
        start = sigmas[0] if not self._keeps_variance else torch.as_tensor(self._noised_at).to(sigmas)
        x = model_sampling.noise_scaling(start, noise, latent_image, False)
        if self._keeps_variance:
            x = x * _spread(sigmas[0]) / _spread(start)

        def report(step):
            if callback is not None:
                callback(step["i"], step["denoised"], step["x"], len(sigmas) - 1)

        seed = extra_args.get("seed")
        stream = seed.stream(x) if isinstance(seed, Seed) else None
        options = dict(self._options)
        if stream is not None and self._draws:
            options["noise_sampler"] = self._noise_sampler(x, sigmas, seed, stream)
        with _fractional_times(model_sampling), _drawing_from(stream):
            if len(sigmas) > 1:
                x = self._function(model, x, sigmas, extra_args=extra_args, callback=report, disable=disable_pbar, **options)
        if self._keeps_variance:
            x = x / _spread(sigmas[-1])
        if denoise_mask is not None:
            x = x * denoise_mask + latent_image * (1 - denoise_mask)
        return model_sampling.inverse_noise_scaling(sigmas[-1], x)

    def _noise_sampler(self, x, sigmas, seed, stream):
        if self._noise == BROWNIAN:
            lowest, highest = sigmas[sigmas > 0].min(), sigmas.max()
            on_cpu = seed.source == "CPU"
            return k_diffusion.BrownianTreeNoiseSampler(x, lowest, highest, seed=tuple(seed.seeds), cpu=on_cpu)
        return lambda sigma, sigma_next: stream(x)


def _spread(sigma):
    """How much larger ComfyUI's latents are than those that keep their variance."""
    return torch.sqrt(1.0 + sigma**2)


class _Model(comfy.samplers.KSamplerX0Inpaint):
    """Keeps what is masked as A1111's denoiser does."""

    def __init__(self, model, sigmas, keeps_variance):
        super().__init__(model, sigmas)
        self._keeps_variance = keeps_variance

    def __call__(self, x, sigma, denoise_mask, model_options={}, seed=None):
        if denoise_mask is None or "denoise_mask_function" in model_options:
            return super().__call__(x, sigma, denoise_mask, model_options=model_options, seed=seed)
        kept = 1.0 - denoise_mask
        if self._keeps_variance:
            x = x * denoise_mask + self.latent_image * _spread(sigma).view(-1, 1, 1, 1) * kept
        out = self.inner_model(x, sigma, model_options=model_options, seed=seed)
        return out if self._keeps_variance else out * denoise_mask + self.latent_image * kept


@contextlib.contextmanager
def _fractional_times(model_sampling):
    """While it lasts, sigmas between two entries of the model's table have times between them, as in k-diffusion."""
    if type(model_sampling).timestep is not comfy.model_sampling.ModelSamplingDiscrete.timestep:
        yield
        return

    def timestep(sigma):
        table = model_sampling.log_sigmas.to(sigma.device)
        log_sigma = sigma.log()
        low = (torch.searchsorted(table, log_sigma.contiguous(), right=True) - 1).clamp(0, len(table) - 2)
        share = (log_sigma - table[low]) / (table[low + 1] - table[low])
        return low + share.clamp(0, 1)

    model_sampling.timestep = timestep
    try:
        yield
    finally:
        del model_sampling.timestep


class _Torch:
    """torch for k-diffusion's samplers, but for the noise that those draw that take no generator (churn)."""

    def __init__(self, stream):
        self.randn_like = stream

    def __getattr__(self, name):
        return getattr(torch, name)


@contextlib.contextmanager
def _drawing_from(stream):
    if stream is None:
        yield
        return
    original = k_diffusion.torch
    k_diffusion.torch = _Torch(stream)
    try:
        yield
    finally:
        k_diffusion.torch = original


def _range_of(sigmas):
    return float(sigmas[sigmas > 0].min()), float(sigmas[0])


def _dpm_fast(model, x, sigmas, extra_args, callback, disable, eta=1.0, s_noise=1.0, noise_sampler=None):
    lowest, highest = _range_of(sigmas)
    options = {"eta": eta, "s_noise": s_noise, "noise_sampler": noise_sampler}
    steps = len(sigmas) - 1
    return k_diffusion.sample_dpm_fast(model, x, lowest, highest, steps, extra_args, callback, disable, **options)


def _dpm_adaptive(model, x, sigmas, extra_args, callback, disable, eta=1.0, s_noise=1.0, noise_sampler=None):
    lowest, highest = _range_of(sigmas)
    options = {"eta": eta, "s_noise": s_noise, "noise_sampler": noise_sampler}
    return k_diffusion.sample_dpm_adaptive(model, x, lowest, highest, extra_args, callback, disable, **options)


def _restart(model, x, sigmas, extra_args, callback, disable):
    """A1111's sd_samplers_extra.py: Heun's steps that go back to more noise."""
    ones = x.new_ones([x.shape[0]])
    last = None
    for index, (sigma, then) in enumerate(_restart_steps(sigmas)):
        if last is not None and last < sigma:
            x = x + k_diffusion.torch.randn_like(x) * (sigma**2 - last**2) ** 0.5
        clean = model(x, sigma * ones, **extra_args)
        direction = k_diffusion.to_d(x, sigma, clean)
        callback({"x": x, "i": index, "denoised": clean})
        if then > 0:
            ahead = x + direction * (then - sigma)
            direction = (direction + k_diffusion.to_d(ahead, then, model(ahead, then * ones, **extra_args))) / 2
        x = x + direction * (then - sigma)
        last = then
    return x


def _restart_steps(sigmas):
    """Pairs of noise levels. From 20 steps on it goes back from 0.1 to 2, from 36 on twice."""
    count = len(sigmas) - 1
    if count < 20:
        return list(zip(sigmas[:-1], sigmas[1:]))
    again, times = (count // 4, 2) if count >= 36 else (9, 1)
    levels = k_diffusion.get_sigmas_karras(count - again * times, sigmas[-2].item(), sigmas[0].item(), device=sigmas.device)
    low, high = (int(torch.argmin(abs(levels - level))) for level in (0.1, 2))
    steps = list(zip(levels[:-1], levels[1:]))
    if high >= low:
        return steps
    back = k_diffusion.get_sigmas_karras(again + 1, levels[low].item(), levels[high].item(), device=sigmas.device)[:-1]
    return steps[:low] + list(zip(back[:-1], back[1:])) * times + steps[low:]


def _plms(model, x, sigmas, extra_args, callback, disable):
    """A1111's sd_samplers_timesteps_impl.py, on latents that do not keep their variance: Adams and Bashforth's steps."""
    ones = x.new_ones([x.shape[0]])
    earlier = []
    for index, (sigma, then) in enumerate(zip(sigmas[:-1], sigmas[1:])):
        direction = k_diffusion.to_d(x, sigma, model(x, sigma * ones, **extra_args))
        if not earlier:
            ahead = x + direction * (then - sigma)
            used = (direction + k_diffusion.to_d(ahead, then, model(ahead, then * ones, **extra_args))) / 2
        else:
            used = sum(weight * part for weight, part in zip(_PLMS_WEIGHTS[len(earlier)], [direction, *earlier]))
        callback({"x": x, "i": index, "denoised": x - sigma * used})
        x = x + used * (then - sigma)
        earlier = [direction, *earlier][:3]
    return x


# By how many steps it looks back: of the last prediction, the one before ...
_PLMS_WEIGHTS = {
    1: (3 / 2, -1 / 2),
    2: (23 / 12, -16 / 12, 5 / 12),
    3: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}


_FUNCTIONS = {
    "restart": _restart,
    "plms": _plms,
    "dpm_fast": _dpm_fast,
    "dpm_adaptive": _dpm_adaptive,
    "uni_pc": uni_pc.sample_unipc,
    "uni_pc_bh2": uni_pc.sample_unipc_bh2,
}
