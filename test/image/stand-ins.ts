/** What stands in for the registries that a build asks: base images made of Debian, and this machine's own settings for npm and pip. */
import { execFile } from "node:child_process";
import { copyFile, cp, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { run } from "../engine/install.ts";
import { ROOT } from "../support/source-files.ts";
import type { Buildah, Volume } from "./buildah.ts";

const execute = promisify(execFile);

/** Debian 12 for Ubuntu with CUDA's demands, and the same with the project's own Node for Node's image. @returns build arguments. */
export async function makeBases(buildah: Buildah): Promise<{ BASE_IMAGE: string; NODE_IMAGE: string }> {
  const node = join(ROOT, "node_modules/node/bin/node");
  const { stdout: version } = await execute(node, ["--version"]);
  const bases = {
    BASE_IMAGE: "localhost/stand-in-base:bookworm",
    NODE_IMAGE: `localhost/stand-in-node:${version.trim()}`,
  };
  await buildah.make(bases.BASE_IMAGE, "scratch", async (root) => {
    await run("debootstrap", ["--variant=minbase", "bookworm", root]);
    await writeFile(join(root, "etc/apt/apt.conf.d/90build-machine"), await aptSettings());
  });
  await buildah.make(bases.NODE_IMAGE, bases.BASE_IMAGE, async (root) => {
    const local = join(root, "usr/local");
    await copyFile(node, join(local, "bin/node"));
    await run("npm", ["install", "--global", "--silent", "--prefix", local, "npm@11"]);
  });
  return bases;
}

/** Proxies and the like. */
async function aptSettings(): Promise<string> {
  const { stdout } = await execute("apt-config", ["dump", "--no-empty", "Acquire"]);
  return stdout.replace(/^(?!Acquire::(https?|Check)).*\n/gim, "");
}

/** In the containers of a build. */
const PLACE = "/mnt/build-machine";

/**
 * Settings of npm and pip that make both work in a container as they do here: registries, certificates, folders of packages.
 * @param folder empty, for as long as the build takes.
 * @param wheels a folder of further Python packages.
 */
export async function packageSources(folder: string, wheels: string): Promise<Volume[]> {
  const [npm, pip] = await Promise.all([npmSettings(), pipSettings()]);
  const bundles = { npm: npm.get("cafile"), pip: pip.get("cert") };
  for (const [name, bundle] of Object.entries(bundles)) if (bundle) await cp(bundle, join(folder, `${name}.pem`));
  if (bundles.npm) npm.set("cafile", `${PLACE}/npm.pem`);
  if (bundles.pip) pip.set("cert", `${PLACE}/pip.pem`);
  pip.set("find-links", [pip.get("find-links"), `${PLACE}/wheels`].filter(Boolean).join(" "));
  await cp(wheels, join(folder, "wheels"), { recursive: true });

  const lines = (settings: Map<string, string>) => [...settings].map(([key, value]) => `${key}=${value}\n`).join("");
  await writeFile(join(folder, "npmrc"), lines(npm));
  await writeFile(join(folder, "pip.conf"), `[global]\n${lines(pip)}`);
  return [
    { source: folder, target: PLACE },
    { source: join(folder, "npmrc"), target: "/root/.npmrc" },
    { source: join(folder, "pip.conf"), target: "/etc/pip.conf" },
    ...localFolders([...pip.values()]).map((path) => ({ source: path, target: path })),
  ];
}

async function npmSettings(): Promise<Map<string, string>> {
  const { stdout } = await execute("npm", ["config", "get", "registry", "cafile", "proxy", "https-proxy"]);
  const known = [...stdout.matchAll(/^([\w-]+)=(.+)$/gm)].map(([, key, value]) => [key!, value!] as const);
  return new Map(known.filter(([, value]) => value !== "null"));
}

/** From files and the environment, whose settings come later and win. */
async function pipSettings(): Promise<Map<string, string>> {
  const { stdout } = await execute("python3", ["-m", "pip", "config", "list"]);
  const settings = [...stdout.matchAll(/^(:env:|\w+)\.([\w-]+)='(.*)'$/gm)];
  const [fromFiles, fromEnvironment] = [false, true].map((wanted) =>
    settings.filter(([, place]) => (place === ":env:") === wanted),
  );
  return new Map([...fromFiles!, ...fromEnvironment!].map(([, , key, value]) => [key!, value!]));
}

/** Of indexes (whose files lie beside them) and of packages on this machine's disk. */
function localFolders(values: readonly string[]): string[] {
  const words = values.flatMap((value) => value.split(/\s+/)).filter((word) => !word.startsWith(PLACE));
  const indexes = words.filter((word) => word.startsWith("file:///")).map((word) => dirname(new URL(word).pathname));
  const folders = words.filter((word) => word.startsWith("/") && !word.endsWith(".pem"));
  return [...new Set([...indexes, ...folders])];
}
