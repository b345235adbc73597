/** Starts the emulator as a process of its own and speaks its protocol, as a client that trusts nothing. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { EMULATOR } from "./entries.ts";

const START_LIMIT_MS = 20_000;

interface Message {
  type: string;
  data: Record<string, unknown>;
}

export interface Emulator {
  url: string;
  process: ChildProcess;
  /** Everything printed so far. */
  log(): string;
  /** Code and signal. */
  exited: Promise<[number | null, NodeJS.Signals | null]>;
  post(path: string, body: unknown): Promise<Response>;
  get(path: string): Promise<Record<string, unknown>>;
}

/** Runs the emulator with flags; `ready` resolves when it listens. It ends with the test. */
export function spawnEmulator(...flags: string[]): Emulator & { ready(): Promise<void> } {
  const child = spawn(process.execPath, [EMULATOR, "--port", "0", ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
  const exited = once(child, "close") as Emulator["exited"];
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const emulator: Emulator = {
    url: "",
    process: child,
    log: () => text,
    exited,
    post: (path, body) => fetch(emulator.url + path, { method: "POST", body: JSON.stringify(body) }),
    get: async (path) => (await fetch(emulator.url + path)).json() as Promise<Record<string, unknown>>,
  };
  return Object.assign(emulator, {
    ready: () =>
      vi.waitFor(
        () => {
          const url = /To see the GUI go to: (\S+)/.exec(text)?.[1];
          if (url === undefined) throw new Error(`not listening yet:\n${text}`);
          emulator.url = url;
        },
        { timeout: START_LIMIT_MS, interval: 10 },
      ),
  });
}

export async function startEmulator(...flags: string[]): Promise<Emulator> {
  const emulator = spawnEmulator(...flags);
  await emulator.ready();
  return emulator;
}

export interface Client {
  id: string;
  socket: WebSocket;
  messages: Message[];
  /** The first message, from now or before, that fits. */
  until(fits: (message: Message) => boolean): Promise<Message>;
  /** The message that ends a prompt. */
  untilDone(promptId: string): Promise<Message>;
}

export async function connect({ url }: Emulator, id: string = crypto.randomUUID()): Promise<Client> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws?clientId=${id}`);
  const messages: Message[] = [];
  socket.on("message", (data, isBinary) => isBinary || messages.push(JSON.parse(String(data)) as Message));
  onTestFinished(() => socket.terminate());
  await once(socket, "open");
  const until = (fits: (message: Message) => boolean) =>
    vi.waitFor(
      () => {
        const found = messages.find(fits);
        if (found === undefined) throw new Error(`not among ${messages.map(({ type }) => type).join(", ")}`);
        return found;
      },
      { timeout: 5000, interval: 5 },
    );
  const untilDone = (promptId: string) =>
    until(({ type, data }) => type === "executing" && data["node"] === null && data["prompt_id"] === promptId);
  return { id, socket, messages, until, untilDone };
}

/** One plain picture, saved. */
export const emptyImage = (color = 1) => ({
  "1": { class_type: "EmptyImage", inputs: { width: 8, height: 8, batch_size: 1, color } },
  "2": { class_type: "SaveImage", inputs: { filename_prefix: "e", images: ["1", 0] } },
});

/** Queues a prompt for a client. @returns its id */
export async function submit(emulator: Emulator, client: Client | undefined, prompt: unknown): Promise<string> {
  const answer = await emulator.post("/prompt", { prompt, ...(client && { client_id: client.id }) });
  return ((await answer.json()) as { prompt_id: string }).prompt_id;
}
