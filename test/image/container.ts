/** A container: an image's files, and its programs run in them as the image says. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Buildah, containerName, type ImageConfig, type Volume } from "./buildah.ts";

interface Running {
  pid: number;
  exited: Promise<number | null>;
  /** What it printed so far. */
  output(): string;
}

export class Container {
  readonly config: ImageConfig;
  readonly #buildah: Buildah;
  readonly #name: string;
  readonly #port: number;
  readonly #options: readonly string[];
  #served: Served | undefined;

  private constructor(config: ImageConfig, buildah: Buildah, name: string, port: number, options: readonly string[]) {
    this.config = config;
    this.#buildah = buildah;
    this.#name = name;
    this.#port = port;
    this.#options = options;
  }

  /** @param environment settings, but for PORT, which the image's health check reads too. */
  static async create(
    { buildah, image }: { buildah: Buildah; image: string },
    environment: Readonly<Record<string, string>>,
    volumes: readonly Volume[] = [],
  ): Promise<Container> {
    const config = await buildah.config(image);
    const name = await buildah.do("from", "--name", containerName(), image);
    const port = await freePort();
    const settings = Object.entries({ ...environment, PORT: String(port) });
    return new Container(config, buildah, name, port, [
      ...["--isolation", "chroot"],
      ...settings.flatMap(([key, value]) => ["--env", `${key}=${value}`]),
      ...volumes.flatMap(({ source, target }) => ["--volume", `${source}:${target}:ro`]),
    ]);
  }

  /** Runs a program in it beside what runs there. @returns its exit code, and all that it printed. */
  async exec(...command: string[]): Promise<{ code: number | null; output: string }> {
    const { exited, output } = this.#run(command);
    return { code: await exited, output: output() };
  }

  /** Starts the image's entry point, as `docker run IMAGE` does. */
  start(): Served {
    this.#served = new Served(this.#run([...this.config.Entrypoint, ...this.config.Cmd]), this.#port);
    return this.#served;
  }

  /** Ends what `start` started, if it still runs. */
  async remove(): Promise<void> {
    if (this.#served?.isRunning) {
      this.#served.signal("SIGTERM");
      await this.#served.exited;
    }
    await this.#buildah.do("rm", this.#name);
  }

  #run(command: readonly string[]): Running {
    const args = ["run", ...this.#buildah.storage, ...this.#options, this.#name, "--", ...command];
    const child = spawn("buildah", args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk;
      });
    const exited = once(child, "close").then(([code]) => code as number | null);
    return { pid: child.pid!, exited, output: () => output };
  }
}

/** The image's own program, running. */
export class Served {
  readonly url: string;
  readonly exited: Promise<number | null>;
  isRunning = true;
  readonly #running: Running;

  constructor(running: Running, port: number) {
    this.#running = running;
    this.url = `http://127.0.0.1:${port}`;
    this.exited = running.exited.finally(() => {
      this.isRunning = false;
    });
  }

  /** What it printed so far. */
  get log(): string {
    return this.#running.output();
  }

  /** Waits until `/ready` says 200. @throws Error with its log when it ends before. */
  async ready(): Promise<void> {
    while (!(await this.#isReady())) {
      if (!this.isRunning) throw new Error(`it ended:\n${this.log}`);
      await sleep(100);
    }
  }

  #isReady(): Promise<boolean> {
    return fetch(`${this.url}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  /** Signals its first process, as `docker stop` does. */
  signal(name: NodeJS.Signals): void {
    process.kill(descendant(this.#running.pid, "tini"), name);
  }
}

/** @throws Error when a process has no child, child's child ... of that name. */
function descendant(ancestor: number, name: string): number {
  const processes = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  const children = (parent: number) => processes.filter((pid) => statOf(pid)?.parent === parent).map(Number);
  const below = [ancestor];
  for (const pid of below) {
    if (statOf(String(pid))?.name === name) return pid;
    below.push(...children(pid));
  }
  throw new Error(`no ${name} below process ${ancestor}`);
}

function statOf(pid: string): { name: string; parent: number } | undefined {
  try {
    const [, name, parent] = /\((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))!;
    return { name: name!, parent: Number(parent) };
  } catch {
    return undefined; // it has ended meanwhile
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
