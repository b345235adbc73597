/** ComfyUI for the Dockerfile's build on the CPU: the tree that the engine tests run, as a git repository, and wheels beside a CPU build of PyTorch. */
import { execFile } from "node:child_process";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../support/source-files.ts";

const execute = promisify(execFile);

/** Of the CPU build that test/engine/install.ts installs. */
export const TORCH = { TORCH_VERSION: "2.13.0", TORCHVISION_VERSION: "0.28.0", TORCHAUDIO_VERSION: "2.13.0" };

/** The same bytes make the same commit: builds find their layers again. */
const COMMITTER = Object.fromEntries(
  ["AUTHOR", "COMMITTER"].flatMap((role) => [
    [`GIT_${role}_NAME`, "test"],
    [`GIT_${role}_EMAIL`, "test"],
    [`GIT_${role}_DATE`, "2000-01-01T00:00:00Z"],
  ]),
);

/**
 * Commits a folder's files to a new repository outside of it.
 * @param also files that the folder's `.gitignore` leaves out.
 * @returns the commit.
 */
export async function commitFolder(folder: string, repository: string, also: readonly string[] = []): Promise<string> {
  const git = async (...args: string[]) => {
    const env = { ...process.env, ...COMMITTER, GIT_DIR: repository, GIT_WORK_TREE: folder };
    return (await execute("git", args, { cwd: folder, env })).stdout.trim();
  };
  await execute("git", ["init", "--quiet", "--bare", repository]);
  await git("config", "uploadpack.allowAnySHA1InWant", "true");
  await git("add", "--all");
  if (also.length > 0) await git("add", "--force", ...also);
  await git("commit", "--quiet", "--message", "as it is");
  return git("rev-parse", "HEAD");
}

/**
 * A wheel in place of torchaudio, which has no CPU build beside a CUDA one: empty modules, so that the audio nodes register; what
 * torchvision, built for CUDA, asks of a CPU torch; and `requests`, which older ComfyUIs forget to ask for.
 */
export async function makeAudioWheel(folder: string): Promise<void> {
  const version = TORCH.TORCHAUDIO_VERSION;
  const tree = join(folder, "tree");
  const info = `torchaudio-${version}.dist-info`;
  await mkdir(join(tree, "torchaudio"), { recursive: true });
  await mkdir(join(tree, info));
  const files = {
    "torchaudio/__init__.py": `__version__ = "${version}"\nfrom . import functional, transforms\n`,
    "torchaudio/functional.py": "",
    "torchaudio/transforms.py": "",
    "torchvision_operators.pth": "import torchvision_operators\n",
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: torchaudio\nVersion: ${version}\nRequires-Dist: requests\n`,
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  };
  const names = [...Object.keys(files), "torchvision_operators.py", `${info}/RECORD`];
  const record = names.map((name) => `${name},,\n`).join("");
  for (const [name, text] of Object.entries({ ...files, [`${info}/RECORD`]: record }))
    await writeFile(join(tree, name), text);
  await copyFile(join(ROOT, "test/engine/sitecustomize.py"), join(tree, "torchvision_operators.py"));
  const wheel = join(folder, `torchaudio-${version}-py3-none-any.whl`);
  const roots = ["torchaudio", info, "torchvision_operators.pth", "torchvision_operators.py"];
  await execute("python3", ["-m", "zipfile", "-c", wheel, ...roots.map((name) => join(tree, name))]);
}
