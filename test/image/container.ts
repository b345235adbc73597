/** A container: an image's files, and its programs run in them as the image says. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { type Buildah, containerName, type ImageConfig, type Volume } from "./buildah.ts";

export interface Container {
  config: ImageConfig;
  /** Runs a program in it beside what runs there. @returns its exit code, and all that it printed. */
  exec(...command: string[]): Promise<{ code: number | null; output: string }>;
  /** Starts the image's entry point, as `docker run IMAGE` does. */
  start(): Served;
  remove(): Promise<void>;
}

/** The image's own program, running. */
export interface Served {
  url: string;
  /** Waits until `/ready` says 200. @throws Error with its log when it ends before. */
  ready(): Promise<void>;
  /** Signals its first process, which an engine of containers does on `docker stop`. */
  signal(name: NodeJS.Signals): void;
  exited: Promise<number | null>;
  /** What it printed so far. */
  log(): string;
}

/** The port is the image's setting PORT, which its health check reads too. */
export async function createContainer(
  { buildah, image }: { buildah: Buildah; image: string },
  environment: Readonly<Record<string, string>>,
  volumes: readonly Volume[] = [],
): Promise<Container> {
  const config = await buildah.config(image);
  const name = await buildah.do("from", "--name", containerName(), image);
  const port = await freePort();
  const settings = Object.entries({ ...environment, PORT: String(port) });
  const options = [
    ...["--isolation", "chroot"],
    ...settings.flatMap(([key, value]) => ["--env", `${key}=${value}`]),
    ...volumes.flatMap(({ source, target }) => ["--volume", `${source}:${target}:ro`]),
  ];
  const run = (command: readonly string[]) => {
    const child = spawn("buildah", ["run", ...buildah.storage, ...options, name, "--", ...command], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk;
      });
    const exited = once(child, "close").then(([code]) => code as number | null);
    return { pid: child.pid!, exited, output: () => output };
  };
  return {
    config,
    async exec(...command) {
      const { exited, output } = run(command);
      return { code: await exited, output: output() };
    },
    start() {
      const { pid, exited, output } = run([...config.Entrypoint, ...config.Cmd]);
      const url = `http://127.0.0.1:${port}`;
      let isOver = false;
      void exited.then(() => {
        isOver = true;
      });
      return {
        url,
        exited,
        log: output,
        signal: (signal) => process.kill(descendant(pid, "tini"), signal),
        async ready() {
          const isReady = () =>
            fetch(`${url}/ready`).then(
              ({ ok }) => ok,
              () => false,
            );
          while (!(await isReady())) {
            if (isOver) throw new Error(`it ended:\n${output()}`);
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
        },
      };
    },
    async remove() {
      await buildah.do("rm", name);
    },
  };
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
