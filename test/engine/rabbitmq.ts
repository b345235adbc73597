/** A real RabbitMQ: Debian's packages unpacked into the cache folder, run without systemd and without being installed. */
import { spawn } from "node:child_process";
import { once as event } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheFolder, once, run } from "./install.ts";

export interface Broker {
  url: string;
  port: number;
  /** Ends it; what is durable stays on its disk. */
  stop(): Promise<void>;
  /** After `stop`: on the same port, with the same disk. Comes back when it answers. */
  start(): Promise<void>;
}

const ERLANG = "usr/lib/erlang";

/** @returns the folder that stands for `/`. @throws where there is no apt-get, or it cannot download. */
export async function installRabbitMq(): Promise<string> {
  const root = join(await cacheFolder(), "rabbitmq-server");
  await once(root, "unpacking RabbitMQ", async (folder) => {
    const debs = join(folder, "debs");
    await mkdir(join(debs, "partial"), { recursive: true });
    const download = ["install", "-qq", "-y", "--download-only", "--reinstall", "--no-install-recommends"];
    const get = () => run("apt-get", [...download, "-o", `Dir::Cache::archives=${debs}`, "rabbitmq-server"]);
    // The lists of packages may be old, or not there at all.
    await get().catch(() => run("apt-get", ["update", "-qq"]).then(get));
    for (const name of await readdir(debs))
      if (name.endsWith(".deb")) await run("dpkg", ["-x", join(debs, name), folder]);
    await rm(debs, { recursive: true });
    await tellErlangItsPlace(folder, root);
  });
  return root;
}

/** Debian's `erl` knows one place only. */
async function tellErlangItsPlace(folder: string, root: string): Promise<void> {
  const erlang = join(folder, ERLANG);
  const runtime = (await readdir(erlang)).find((name) => name.startsWith("erts-"))!;
  for (const script of [join(erlang, "bin/erl"), join(erlang, runtime, "bin/erl")]) {
    const text = await readFile(script, "utf8");
    await writeFile(script, text.replaceAll(`=/${ERLANG}`, `=${join(root, ERLANG)}`));
  }
}

/**
 * Starts an empty broker on the loopback; comes back when it answers (3 s).
 * @param root of `installRabbitMq`.
 * @param settings lines of its `rabbitmq.conf`.
 * @param channelTickMs how often it looks for consumers that keep a message too long.
 */
export async function startBroker(
  root: string,
  atEnd: (stop: () => Promise<void>) => void,
  settings: readonly string[] = [],
  channelTickMs = 60_000,
): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), "rabbitmq-"));
  const [port, distributionPort, mapperPort] = await freePorts();
  const lines = [`listeners.tcp.1 = 127.0.0.1:${port}`, "log.console = false", ...settings];
  await writeFile(join(folder, "rabbitmq.conf"), `${lines.join("\n")}\n`);
  await writeFile(join(folder, "plugins"), "[].\n");
  const library = join(root, "usr/lib/rabbitmq/lib");
  const server = join(library, (await readdir(library))[0]!, "sbin/rabbitmq-server");
  const env = {
    PATH: `${join(root, ERLANG, "bin")}:/usr/bin:/bin`,
    HOME: folder,
    LANG: "C.UTF-8",
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "plugins"),
    RABBITMQ_MNESIA_BASE: join(folder, "mnesia"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_NODENAME: `t${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distributionPort),
    ERL_EPMD_PORT: String(mapperPort),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-kernel inet_dist_use_interface {127,0,0,1} -rabbit channel_tick_interval ${channelTickMs} +S 1:1`,
  };

  let end = async () => {};
  const start = async () => {
    // A group of its own: the script is a shell above the program.
    const child = spawn(server, { env, stdio: "ignore", detached: true });
    const closed = event(child, "close");
    end = async () => {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, "SIGTERM");
      await closed;
    };
    while (!(await answers(port))) {
      if (child.exitCode !== null) throw new Error(`RabbitMQ ended with ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  atEnd(async () => {
    await end();
    // It went to the background by itself.
    await run(join(root, ERLANG, "bin/epmd"), ["-port", String(mapperPort), "-kill"]).catch(() => {});
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  await start();
  return { url: `amqp://guest:guest@127.0.0.1:${port}`, port, stop: () => end(), start };
}

async function freePorts(): Promise<[number, number, number]> {
  const servers = [createServer(), createServer(), createServer()];
  await Promise.all(servers.map((server) => event(server.listen(0, "127.0.0.1"), "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) server.close();
  return ports as [number, number, number];
}

/** To a wrong version of the protocol it says which one it speaks: only once it has started. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("AMQP\0\0\0\0"));
    socket.on("data", () => socket.destroy());
    socket.on("data", () => resolve(true));
    socket.on("error", () => {});
    socket.on("close", () => resolve(false));
  });
}
