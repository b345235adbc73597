"""Runs our sampler on a stand-in network.

Prints the largest differences from A1111's own arithmetic, which is written down here, by name; and the times at which the network was
called in each of the passes that come in on stdin.
"""

import json
import sys

home, nodes = sys.argv[1:3]
sys.argv = [sys.argv[0], "--cpu"]
sys.path[:0] = [home, nodes]

import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()

import noise as own_noise  # noqa: E402
import sampler as own_sampler  # noqa: E402
import torch  # noqa: E402
from comfy import model_sampling as comfy_sampling  # noqa: E402

SHAPE = (4, 8, 8)
SEEDS = [20, 21]


class ModelSampling(comfy_sampling.ModelSamplingDiscrete, comfy_sampling.EPS):
    pass


class Inner:
    def __init__(self):
        self.model_sampling = ModelSampling()
        self.times = []

    def scale_latent_inpaint(self, **_):
        raise AssertionError("a masked latent is noised anew")


class Guided:
    """Where ComfyUI has its guider: the prediction of x0 from x and sigma."""

    def __init__(self):
        self.inner_model = Inner()
        self.model_patcher = self

    def get_model_object(self, _):
        return self.inner_model.model_sampling

    def __call__(self, x, sigma, model_options={}, seed=None):
        time = self.inner_model.model_sampling.timestep(sigma)
        self.inner_model.times.append(round(float(time[0]), 3))
        sigma = sigma.view(-1, 1, 1, 1)
        clean = x - sigma * network(x / torch.sqrt(1 + sigma**2), time)
        for function in model_options.get("sampler_post_cfg_function", []):
            clean = function({"denoised": clean, "uncond_denoised": clean})
        return clean


def network(x, time):
    """The noise in a latent of constant variance."""
    return torch.tanh(0.3 * x) + 0.0001 * time.view(-1, 1, 1, 1).to(x)


def run(sampler_name, sigmas, latent=None, mask=None, keeps_variance=False, noised_at=0.0, **options):
    noise = own_noise.ImageNoise(SHAPE, SEEDS)
    later = own_noise.ImageNoise(SHAPE, SEEDS)
    later.first()
    seed = own_sampler.Seed(SEEDS, "NV", lambda like: lambda x: later.next().to(x))
    sampler = own_sampler.Sampler(sampler_name, own_sampler.OWN, keeps_variance, noised_at, options)
    latent = torch.zeros((len(SEEDS), *SHAPE)) if latent is None else latent
    guided = Guided()
    out = sampler.sample(guided, torch.tensor(sigmas), {"seed": seed}, None, noise.first(), latent, mask, True)
    return out, guided.inner_model.times


def table():
    sigmas = ModelSampling().sigmas
    return 1 / (1 + sigmas**2)


def ddim(times, eta, latent=None, encoded=None, mask=None):
    """modules/sd_samplers_timesteps_impl.py and the noising of sample_img2img, on latents of constant variance."""
    rng = own_noise.ImageNoise(SHAPE, SEEDS)
    signal, x = table(), rng.first()
    if latent is not None:
        at = signal[times[encoded]]
        x = latent * at.sqrt() + x * (1 - at).sqrt()
        times = times[:encoded]
    for index in range(len(times) - 1, 0, -1):
        now, then = signal[times[index]], signal[times[index - 1]]
        if mask is not None:
            x = x * mask + latent * (1 - mask)
        predicted = network(x, torch.tensor([float(times[index])] * len(SEEDS)))
        fresh = eta * ((1 - then) / (1 - now) * (1 - now / then)).sqrt()
        clean = (x - (1 - now).sqrt() * predicted) / now.sqrt()
        x = then.sqrt() * clean + (1 - then - fresh**2).sqrt() * predicted + fresh * rng.next()
    return x if mask is None else x * mask + latent * (1 - mask)


def euler_ancestral(sigmas, eta):
    """k-diffusion's, with A1111's noise."""
    rng = own_noise.ImageNoise(SHAPE, SEEDS)
    x = rng.first() * sigmas[0]
    guided = Guided()
    with own_sampler._fractional_times(guided.inner_model.model_sampling):
        for sigma, then in zip(sigmas, sigmas[1:]):
            derivative = (x - guided(x, torch.tensor([sigma] * len(SEEDS)))) / sigma
            up = min(then, eta * (then**2 * (sigma**2 - then**2) / sigma**2) ** 0.5)
            x = x + derivative * ((then**2 - up**2) ** 0.5 - sigma)
            if then > 0:
                x = x + rng.next() * up
    return x


def plms(times):
    """modules/sd_samplers_timesteps_impl.py, on latents of constant variance."""
    signal, x = table(), own_noise.ImageNoise(SHAPE, SEEDS).first()
    earlier = []

    def stepped(x, predicted, index):
        now, then = signal[times[index]], signal[times[index - 1]]
        return then.sqrt() * (x - (1 - now).sqrt() * predicted) / now.sqrt() + (1 - then).sqrt() * predicted

    for index in range(len(times) - 1, 0, -1):
        at, following = (torch.tensor([float(times[place])] * len(SEEDS)) for place in (index, index - 1))
        predicted = network(x, at)
        if len(earlier) == 0:
            used = (predicted + network(stepped(x, predicted, index), following)) / 2
        elif len(earlier) == 1:
            used = (3 * predicted - earlier[-1]) / 2
        elif len(earlier) == 2:
            used = (23 * predicted - 16 * earlier[-1] + 5 * earlier[-2]) / 12
        else:
            used = (55 * predicted - 59 * earlier[-1] + 37 * earlier[-2] - 9 * earlier[-3]) / 24
        x = stepped(x, used, index)
        earlier.append(predicted)
    return x


def restart(steps):
    """modules/sd_samplers_extra.py: Heun's steps between pairs of noise levels, with noise where they go back."""
    rng = own_noise.ImageNoise(SHAPE, SEEDS)
    x, last = rng.first() * steps[0][0], None
    guided = Guided()

    def slope(x, sigma):
        return (x - guided(x, torch.tensor([sigma] * len(SEEDS)))) / sigma

    with own_sampler._fractional_times(guided.inner_model.model_sampling):
        for sigma, then in steps:
            if last is not None and last < sigma:
                x = x + rng.next() * (sigma**2 - last**2) ** 0.5
            first = slope(x, sigma)
            used = first if then == 0 else (first + slope(x + first * (then - sigma), then)) / 2
            x, last = x + used * (then - sigma), then
    return x


def karras(n, low, high):
    """k-diffusion's get_sigmas_karras without its end."""
    return [(high ** (1 / 7) + index / (n - 1) * (low ** (1 / 7) - high ** (1 / 7))) ** 7 for index in range(n)]


def pairs(levels):
    return list(zip(levels, levels[1:]))


def largest(one, other):
    return float((one - other).abs().max())


def main():
    sigma_of = ModelSampling().sigmas
    times = [1, 126, 251, 376, 501, 626, 751, 876]
    levels = [float(sigma_of[time]) for time in reversed(times)]
    picture = torch.linspace(-1, 1, 512).view(2, *SHAPE)
    mask = torch.zeros((2, 1, 8, 8))
    mask[..., 4:] = 1
    vp = {"keeps_variance": True}
    found = {}
    for eta in (0.0, 0.7):
        ours, called = run("euler_ancestral", levels, noised_at=1e9, eta=eta, **vp)
        found[f"DDIM, eta {eta}"] = largest(ours, ddim(times, eta))
        ours, _ = run("euler_ancestral", levels[4:], picture, noised_at=levels[3], eta=eta, **vp)
        found[f"DDIM of a picture, eta {eta}"] = largest(ours, ddim(times, eta, picture, 4))
        ours, _ = run("euler_ancestral", levels[4:], picture, mask, noised_at=levels[3], eta=eta, **vp)
        found[f"DDIM of a masked picture, eta {eta}"] = largest(ours, ddim(times, eta, picture, 4, mask))
    ours, _ = run("euler_ancestral", [levels[-2]], picture, noised_at=levels[-2], **vp)
    found["DDIM without a step"] = largest(ours, ddim(times, 0, picture, 1))
    sigmas = [14.0, 5.5, 1.7, 0.3, 0.0]
    ours, called_between = run("euler_ancestral", sigmas, eta=0.8)
    found["Euler a"] = largest(ours, euler_ancestral(sigmas, 0.8))
    ours, _ = run("plms", levels, noised_at=1e9, **vp)
    found["PLMS"] = largest(ours, plms(times))
    few = [*karras(10, 0.03, 14.6), 0.0]
    ours, _ = run("restart", few)
    found["Restart, few steps"] = largest(ours, restart(pairs(few)))
    # Of 20 steps 9 are taken again, from 0.1 to 2.
    levels = [*karras(11, 0.03, 14.6), 0.0]
    low, high = (min(range(12), key=lambda place: abs(levels[place] - level)) for level in (0.1, 2))
    again = pairs(karras(10, levels[low], levels[high]))
    ours, _ = run("restart", [*karras(20, 0.03, 14.6), 0.0])
    found["Restart, 20 steps"] = largest(ours, restart(pairs(levels)[:low] + again + pairs(levels)[low:]))
    calls = [calls_of(one) for one in json.load(sys.stdin)]
    print(json.dumps({"differences": found, "times": [called, called_between], "calls": calls}))


def calls_of(given):
    """Where a pass is made of several, as with hires fix, they follow each other."""
    return [time for part in given for time in run(**part)[1]] if given else []


main()
