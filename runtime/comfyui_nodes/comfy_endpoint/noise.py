"""A1111's noise of a picture, as its modules/rng.py draws it. Needs torch and numpy alone."""

import numpy as np
import torch

_WORD = 0xFFFFFFFF
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_TO_UNIT = np.float32(2.3283064e-10)  # 2^-32
_TO_ANGLE = np.float32(2.3283064e-10 * 6.2831855)


class NvGenerator:
    """The normal numbers that torch draws on an NVIDIA card: Philox 4x32-10 and half of each Box-Muller pair."""

    def __init__(self, seed):
        self._seed = seed
        self._draws = 0

    def randn(self, shape):
        count = int(np.prod(shape))
        first, second = self._words(count)
        unit = first * _TO_UNIT.astype(np.float64) + _TO_UNIT / np.float32(2)
        angle = second * _TO_ANGLE.astype(np.float64) + _TO_ANGLE / np.float32(2)
        normal = np.sqrt(-2.0 * np.log(unit)) * np.sin(angle)
        return torch.from_numpy(normal.astype(np.float32).reshape(shape))

    def _words(self, count):
        """Two of the four words of each block; blocks are numbered by draw and by place."""
        word, half = np.uint64(_WORD), np.uint64(32)
        key = [self._seed & _WORD, self._seed >> 32 & _WORD]
        block = [np.full(count, self._draws, np.uint64), np.uint64(0), np.arange(count, dtype=np.uint64), np.uint64(0)]
        self._draws += 1
        for _ in range(_ROUNDS):
            low, high = block[0] * _MULTIPLIERS[0], block[2] * _MULTIPLIERS[1]
            block = [
                high >> half ^ block[1] ^ np.uint64(key[0]),
                high & word,
                low >> half ^ block[3] ^ np.uint64(key[1]),
                low & word,
            ]
            key = [(part + step) & _WORD for part, step in zip(key, _KEY_STEPS)]
        return block[0], block[1]


class CpuGenerator:
    """torch's own generator on the CPU."""

    def __init__(self, seed):
        self._generator = torch.Generator("cpu").manual_seed(seed)

    def randn(self, shape):
        return torch.randn(shape, generator=self._generator, device="cpu")


GENERATORS = {"NV": NvGenerator, "CPU": CpuGenerator}


class ImageNoise:
    """A generator for each picture of a batch: its first noise, and what its sampler draws after that."""

    def __init__(self, shape, seeds, subseeds=(), subseed_strength=0.0, resize_from=(0, 0), source="NV", seed_delta=0):
        """
        :param shape: of one picture's latent: channels, height, width
        :param subseed_strength: share of the noise of the picture's subseed, 0 to 1
        :param resize_from: height and width in pixels of the picture whose noise stands in the middle; 0: none
        :param seed_delta: A1111's eta_noise_seed_delta: what is drawn after the first noise comes from seed + this
        """
        self._shape = tuple(shape)
        self._seeds = list(seeds)
        self._subseeds = list(subseeds)
        self._strength = subseed_strength
        height, width = resize_from
        is_resized = height > 0 and width > 0
        self._drawn_shape = (self._shape[0], height // 8, width // 8) if is_resized else self._shape
        self._generator = GENERATORS[source]
        self._seed_delta = seed_delta
        self._later = [self._generator(seed) for seed in self._seeds]

    def first(self):
        noise = torch.stack([self._first_of(index) for index in range(len(self._seeds))])
        if self._seed_delta:
            self._later = [self._generator(seed + self._seed_delta) for seed in self._seeds]
        return noise

    def next(self):
        return torch.stack([generator.randn(self._shape) for generator in self._later])

    def _first_of(self, index):
        own = self._later[index].randn(self._shape)
        is_whole = self._drawn_shape == self._shape
        noise = own if is_whole else self._generator(self._seeds[index]).randn(self._drawn_shape)
        if self._subseeds and self._strength != 0:
            noise = slerp(self._strength, noise, self._generator(self._subseeds[index]).randn(self._drawn_shape))
        return noise if is_whole else _centred(noise, own)


def slerp(share, low, high):
    """Spherical interpolation along the rows, as A1111 does it."""
    low_unit = low / torch.norm(low, dim=1, keepdim=True)
    high_unit = high / torch.norm(high, dim=1, keepdim=True)
    cosine = (low_unit * high_unit).sum(1)
    if cosine.mean() > 0.9995:
        return low * share + high * (1 - share)
    angle = torch.acos(cosine)
    whole = torch.sin(angle)
    low_share = (torch.sin((1.0 - share) * angle) / whole).unsqueeze(1)
    return low_share * low + (torch.sin(share * angle) / whole).unsqueeze(1) * high


def _centred(noise, background):
    """The noise in the middle of the background, or the middle of it where it is larger."""
    result = background.clone()
    into, out_of = [], []
    for axis in (1, 2):
        # Odd differences are rounded down, as A1111 does.
        shift = (background.shape[axis] - noise.shape[axis]) // 2
        length = noise.shape[axis] if shift >= 0 else noise.shape[axis] + 2 * shift
        into.append(slice(max(shift, 0), max(shift, 0) + length))
        out_of.append(slice(max(-shift, 0), max(-shift, 0) + length))
    result[:, into[0], into[1]] = noise[:, out_of[0], out_of[1]]
    return result
