"""Splits PyTorch's wheels into three lists of similar size: `torch_layers.py cu130 FOLDER PIP-ARGUMENT...`.

Writes FOLDER/1.txt to 3.txt, each a requirements file with the versions and hashes that pip has found. CUDA's libraries are
more than half of the image, and a host pulls and unpacks three layers at a time.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

# What nobody claims is the third: PyTorch itself, and NCCL. Of cu130, compressed and unpacked: 1.0 and 1.7, 1.0 and 1.6, 0.8 and 1.7 GB.
CLAIMS = (r"nvidia-(cublas|cudnn)|triton", r"nvidia-(?!nccl)|cuda-")


def main(cuda: str, folder: Path, pip_arguments: list[str]) -> None:
    check_base(cuda, os.environ.get("CUDA_VERSION"))
    folder.mkdir(parents=True)
    report = folder / "report.json"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--report", str(report)]
    subprocess.run([*pip, *pip_arguments], check=True)
    lists = split(json.loads(report.read_text())["install"])
    report.unlink()
    for number, lines in enumerate(lists, start=1):
        (folder / f"{number}.txt").write_text("".join(f"{line}\n" for line in lines))


def check_base(cuda: str, base: str | None) -> None:
    """The base image tells the driver which CUDA it needs; a base of another line asks too much or too little."""
    if base is not None and "cu" + "".join(base.split(".")[:2]) != cuda:
        sys.exit(f"BASE_IMAGE is of CUDA {base}, and TORCH_CUDA is {cuda}: choose two that belong together")


def split(found: list[dict]) -> list[list[str]]:
    """Requirement lines per layer, from what pip reports it would install."""
    lists = [[] for _ in range(len(CLAIMS) + 1)]
    for item in found:
        name, version = item["metadata"]["name"], item["metadata"]["version"]
        layer = next((index for index, claim in enumerate(CLAIMS) if re.match(claim, name)), len(CLAIMS))
        digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
        lists[layer].append(f"{name}=={version} --hash=sha256:{digest}")
    return lists


main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
