/** buildah: builds images and runs them as root, without a daemon, a container runtime or cgroups. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder, run } from "../engine/install.ts";

const execute = promisify(execFile);
const MAX_OUTPUT_BYTES = 64 * 1024 ** 2;

/** A path of this machine in a container, read-only. */
export interface Volume {
  source: string;
  target: string;
}

/** What an image tells the engine that runs it; what the tests look at. */
export interface ImageConfig {
  User: string;
  Env: string[];
  Entrypoint: string[];
  Cmd: string[];
  StopSignal: string;
  Labels: Record<string, string>;
  Healthcheck: { Test: string[] };
}

/**
 * Installs buildah and debootstrap where they are missing.
 * @returns why images cannot be built here, if so.
 */
export async function whyNoBuilds(): Promise<string | undefined> {
  if (process.platform !== "linux" || process.getuid!() !== 0) return "it takes Linux, and root";
  const missing = (await Promise.all(["buildah", "debootstrap"].map(isMissing))).flat();
  if (missing.length === 0) return undefined;
  const install = () => run("apt-get", ["install", "-qq", "-y", "--no-install-recommends", ...missing]);
  // The lists of packages may be old, or not there at all.
  return install()
    .catch(() => run("apt-get", ["update", "-qq"]).then(install))
    .then(() => undefined)
    .catch((error: Error) => error.message);
}

const isMissing = (program: string) =>
  execute(program, ["--version"]).then(
    () => [],
    () => [program],
  );

let containers = 0;

/** One that tells whose it is. */
export const containerName = () => `comfy-endpoint-test-${process.pid}-${containers++}`;

function isOfDeadRun(container: string): boolean {
  const pid = /^comfy-endpoint-test-(\d+)-/.exec(container)?.[1];
  return pid !== undefined && !existsSync(`/proc/${pid}`);
}

/** Images and layers, kept in the cache folder: a later run makes only what has changed. */
export class Buildah {
  /** Says where they are, to every command. */
  readonly storage: readonly string[];
  /** Whether layers cost only what changes in them; else each is a copy of the whole tree, and none is kept. */
  readonly hasLayers: boolean;

  private constructor(folder: string, hasLayers: boolean) {
    const driver = hasLayers ? "overlay" : "vfs";
    this.storage = ["--root", join(folder, "root"), "--runroot", join(folder, "run"), "--storage-driver", driver];
    this.hasLayers = hasLayers;
  }

  static async open(): Promise<Buildah> {
    const folder = join(await cacheFolder(), "buildah");
    await mkdir(folder, { recursive: true });
    const buildah = new Buildah(folder, readFileSync("/proc/filesystems", "utf8").includes("\toverlay\n"));
    await buildah.#removeAbandoned();
    return buildah;
  }

  /** Containers of runs that were killed: they would hold on to their images. */
  async #removeAbandoned(): Promise<void> {
    const names = await this.do("containers", "--noheading", "--format", "{{.ContainerName}}");
    const abandoned = names.split("\n").filter(isOfDeadRun);
    if (abandoned.length > 0) await this.do("rm", ...abandoned);
  }

  /** @returns what it prints. @throws Error with all that it said. */
  async do(command: string, ...args: readonly string[]): Promise<string> {
    const given = [command, ...this.storage, ...args];
    const { stdout } = await execute("buildah", given, { maxBuffer: MAX_OUTPUT_BYTES }).catch((error) => {
      throw new Error(`buildah ${command} failed:\n${error.stdout}${error.stderr}`);
    });
    return stdout.trim();
  }

  /** Removes what lost its name to a later build, unless a run beside this one still uses it. */
  async prune(): Promise<void> {
    await this.do("rmi", "--prune").catch(() => {});
  }

  has(image: string): Promise<boolean> {
    return this.do("inspect", "--type", "image", image).then(
      () => true,
      () => false,
    );
  }

  async config(image: string): Promise<ImageConfig> {
    return JSON.parse(await this.do("inspect", "--type", "image", image)).Docker.config;
  }

  /** Makes an image of what `fill` does to the root folder of another one, unless it is there. */
  async make(image: string, from: string, fill: (root: string) => Promise<void>): Promise<void> {
    if (await this.has(image)) return;
    const container = await this.do("from", "--name", containerName(), from);
    try {
      await fill(await this.do("mount", container));
      await this.do("commit", "--quiet", container, image);
    } finally {
      await this.do("rm", container);
    }
  }

  /**
   * Builds a Dockerfile's folder as `docker build` does.
   * @throws Error with the build's whole output.
   */
  async build({
    context,
    image,
    target,
    args = {},
    volumes = [],
  }: {
    context: string;
    image: string;
    /** Default: the last. */
    target?: string;
    args?: Readonly<Record<string, string>>;
    volumes?: readonly Volume[];
  }): Promise<void> {
    await this.do(
      "bud",
      ...[
        `--layers=${this.hasLayers}`,
        "--force-rm",
        "--isolation",
        "chroot",
        "--network",
        "host",
        "--format",
        "docker",
      ],
      ...[
        ...volumes.flatMap(({ source, target: place }) => ["--volume", `${source}:${place}:ro`]),
        ...Object.entries(args).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
        ...(target === undefined ? [] : ["--target", target]),
        ...["--tag", image, context],
      ],
    );
  }
}
