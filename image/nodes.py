"""ComfyUI's custom nodes, by nodes.lock.json: a list of {"name", "repo", "commit"}.

    nodes.py fetch LOCK FOLDER    each at its commit, into a folder of its name
    nodes.py install COMFYUI      what they need; fails unless ComfyUI starts and loads every node
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path


def fetch(lock: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for entry in json.loads(lock.read_text()):
        name, repo, commit = entry["name"], entry["repo"], entry["commit"]
        if not re.fullmatch(r"[\w-][\w.-]*", name) or not re.fullmatch(r"[0-9a-f]{40}", commit):
            sys.exit(f"{lock.name}: {name}: wants a plain name, and a commit of 40 hexadecimal digits")
        target = folder / name
        git = ["git", "-C", str(target)]
        target.mkdir()
        subprocess.run([*git, "init", "--quiet"], check=True)
        subprocess.run([*git, "fetch", "--quiet", "--depth", "1", repo, commit], check=True)
        subprocess.run([*git, "checkout", "--quiet", "FETCH_HEAD"], check=True)
        shutil.rmtree(target / ".git")


def install(comfyui: Path) -> None:
    folder = comfyui / "custom_nodes"
    for node in sorted(path for path in folder.iterdir() if path.is_dir()):
        if (node / "requirements.txt").exists():
            subprocess.run([sys.executable, "-m", "pip", "install", "-r", str(node / "requirements.txt")], check=True)
        # What ComfyUI's managers run as well after fetching a node.
        if (node / "install.py").exists():
            subprocess.run([sys.executable, "install.py"], cwd=node, check=True)
    # At run time nobody could write the result. Files that no Python 3 reads are no failure: the check below tells.
    subprocess.run([sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", str(folder)])
    check(comfyui)


def check(comfyui: Path) -> None:
    """ComfyUI goes on without a node that it cannot import, and only says so."""
    command = [sys.executable, "main.py", "--cpu", "--quick-test-for-ci", "--database-url", "sqlite:///:memory:"]
    start = subprocess.run(command, cwd=comfyui, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(start.stdout)
    failed = [line.strip() for line in start.stdout.splitlines() if "IMPORT FAILED" in line]
    if start.returncode != 0 or failed:
        sys.exit("\n".join([f"ComfyUI ended with {start.returncode}", *failed]))


COMMANDS = {"fetch": fetch, "install": install}
COMMANDS[sys.argv[1]](*map(Path, sys.argv[2:]))
