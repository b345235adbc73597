"""Reads rng.json and prints what our noise makes of each case: `[first, mean and deviation, next]` of each picture."""

import json
import sys

sys.path.insert(0, sys.argv[1])
from noise import ImageNoise  # noqa: E402


def drawn(case):
    resize_from = case.get("seed_resize_from_h", 0), case.get("seed_resize_from_w", 0)
    noise = ImageNoise(
        case["shape"],
        case["seeds"],
        case.get("subseeds", ()),
        case.get("subseed_strength", 0.0),
        resize_from,
        case["randn_source"],
        case["ENSD"],
    )
    first, later = noise.first(), noise.next()
    return [
        {
            "first": one.flatten()[:8].tolist(),
            "first_mean_std": [one.mean().item(), one.std().item()],
            "next": two.flatten()[:4].tolist(),
        }
        for one, two in zip(first, later)
    ]


with open(sys.argv[2]) as file:
    print(json.dumps([drawn(case) for case in json.load(file)["noise"]]))
