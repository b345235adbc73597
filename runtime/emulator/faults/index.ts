/**
 * Faults of an engine that a client must survive, switched on by `--fault NAME[=VALUE]` (repeatable). The rest of the
 * emulator only calls the hooks below.
 *
 * | fault | what happens |
 * |---|---|
 * | `boot-delay=MS` | the server listens only after MS, printing a line every 200 ms meanwhile |
 * | `boot-exit=CODE` | prints its first lines, then exits with CODE |
 * | `boot-silent` | never listens and prints nothing |
 * | `crash=CLASS` | the process kills itself (SIGKILL) when a node of CLASS runs |
 * | `oom[=N]` | the first N (1) runs of a sampler, or of any node in a prompt without one, raise `torch.OutOfMemoryError` |
 * | `cuda-broken` | every node raises RuntimeError "CUDA error: an illegal memory access was encountered" |
 * | `hang=CLASS` | a node of CLASS never returns and ignores interrupts |
 * | `deaf-socket=N` | after N messages the first socket stays open but gets nothing more |
 * | `drop-socket=N` | after N messages the first socket is cut |
 * | `worker-dies=loud\|silent` | the worker thread dies at the next prompt, with or without a traceback |
 * | `no-end-event` | the first prompt never sends its `executing` with node null |
 * | `late-history=MS` | history entries appear only MS after the end events |
 * | `slow-validation=MS` | `POST /prompt` is handled only MS after it came |
 * | `http-deaf` | from the first `POST /prompt` on, no HTTP request is answered |
 */
import { setTimeout as delay } from "node:timers/promises";
import type { WebSocket } from "ws";
import { log } from "../log.ts";
import { NodeError } from "../nodes/node.ts";

interface Fault {
  /** Before anything is printed. */
  start?(): Promise<void>;
  /** Between the start lines and listening. */
  boot?(): Promise<void>;
  /** How long a request lies before it is handled, in milliseconds; Infinity: for ever. */
  handlingDelayMs?(method: string, path: string): number;
  connect?(socket: WebSocket): void;
  /** False: the message is lost. */
  delivers?(socket: WebSocket): boolean;
  /** When the worker takes a prompt; a returned word kills the worker thread. */
  workerDeath?(): "loud" | "silent";
  /** Before a node runs; `classes` are those of the whole prompt. */
  node?(classType: string, classes: readonly string[]): Promise<void>;
  /** False: the final `executing` is not sent. */
  sendsEnd?(): boolean;
  historyDelayMs?: number;
}

const BOOT_LINE_INTERVAL_MS = 200;

/** What the dying process has said so far reaches its clients. */
const FLUSH_MS = 20;

const forever = () => new Promise<never>(() => setInterval(() => {}, 2 ** 30));

const FAULTS: Record<string, (value: string) => Fault> = {
  "boot-delay": (value) => ({
    boot: async () => {
      for (let leftMs = Number(value); leftMs > 0; leftMs -= BOOT_LINE_INTERVAL_MS) {
        log.info(`Import times for custom nodes: ${leftMs} ms to go`);
        await delay(Math.min(leftMs, BOOT_LINE_INTERVAL_MS));
      }
    },
  }),
  "boot-exit": (value) => ({
    boot: async () => {
      log.error("RuntimeError: No CUDA GPUs are available");
      process.exit(Number(value));
    },
  }),
  "boot-silent": () => ({ start: forever }),
  crash: (value) => ({
    node: async (classType) => {
      if (classType !== value) return;
      await delay(FLUSH_MS);
      process.kill(process.pid, "SIGKILL");
      await forever();
    },
  }),
  oom: (value) => {
    let left = value === "" ? 1 : Number(value);
    return {
      node: async (classType, classes) => {
        const isSampler = (name: string) => name.includes("Sampler") && !name.endsWith("Select");
        if (left === 0 || (classes.some(isSampler) && !isSampler(classType))) return;
        left -= 1;
        const text =
          "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 23.68 GiB of which 1.21 GiB is free.";
        throw new NodeError("torch.OutOfMemoryError", text);
      },
    };
  },
  "cuda-broken": () => ({
    node: async () => {
      throw new NodeError("RuntimeError", "CUDA error: an illegal memory access was encountered");
    },
  }),
  hang: (value) => ({ node: async (classType) => (classType === value ? forever() : undefined) }),
  "deaf-socket": (value) => firstSocketAfter(Number(value), () => {}),
  "drop-socket": (value) => firstSocketAfter(Number(value), (socket) => socket.terminate()),
  "worker-dies": (value) => ({ workerDeath: () => (value === "silent" ? "silent" : "loud") }),
  "no-end-event": () => {
    let isFirst = true;
    return {
      sendsEnd: () => {
        const sends = !isFirst;
        isFirst = false;
        return sends;
      },
    };
  },
  "late-history": (value) => ({ historyDelayMs: Number(value) }),
  "http-deaf": () => {
    let isDeaf = false;
    return {
      handlingDelayMs: (method, path) => {
        isDeaf ||= isSubmission(method, path);
        return isDeaf ? Number.POSITIVE_INFINITY : 0;
      },
    };
  },
  "slow-validation": (value) => ({
    handlingDelayMs: (method, path) => (isSubmission(method, path) ? Number(value) : 0),
  }),
};

const isSubmission = (method: string, path: string) => method === "POST" && /^(\/api)?\/prompt$/.test(path);

export const FAULT_NAMES = Object.keys(FAULTS);

function firstSocketAfter(messages: number, then: (socket: WebSocket) => void): Fault {
  let first: WebSocket | undefined;
  let left = messages;
  return {
    connect: (socket) => {
      first ??= socket;
    },
    delivers: (socket) => {
      if (socket !== first) return true;
      if (left > 0) {
        left -= 1;
        return true;
      }
      then(socket);
      return false;
    },
  };
}

export class Faults {
  readonly #faults: Fault[];

  /** @param specs `NAME` or `NAME=VALUE`. @throws RangeError for an unknown name */
  constructor(specs: readonly string[]) {
    this.#faults = specs.map((spec) => {
      const [name = "", value = ""] = spec.split(/=(.*)/s);
      const create = Object.hasOwn(FAULTS, name) ? FAULTS[name] : undefined;
      if (create === undefined) throw new RangeError(`unknown fault ${name}; there are: ${FAULT_NAMES.join(", ")}`);
      return create(value);
    });
  }

  async start(): Promise<void> {
    for (const fault of this.#faults) await fault.start?.();
  }

  async boot(): Promise<void> {
    for (const fault of this.#faults) await fault.boot?.();
  }

  handlingDelayMs(method: string, path: string): number {
    return Math.max(0, ...this.#faults.map((fault) => fault.handlingDelayMs?.(method, path) ?? 0));
  }

  onConnect(socket: WebSocket): void {
    for (const fault of this.#faults) fault.connect?.(socket);
  }

  deliver(socket: WebSocket, message: string | Buffer): void {
    if (this.#faults.every((fault) => fault.delivers?.(socket) ?? true)) socket.send(message);
  }

  workerDeath(): "loud" | "silent" | undefined {
    return this.#faults.map((fault) => fault.workerDeath?.()).find((death) => death !== undefined);
  }

  async beforeNode(classType: string, classes: readonly string[]): Promise<void> {
    for (const fault of this.#faults) await fault.node?.(classType, classes);
  }

  sendsEnd(): boolean {
    return this.#faults.every((fault) => fault.sendsEnd?.() ?? true);
  }

  get historyDelayMs(): number {
    return Math.max(0, ...this.#faults.map((fault) => fault.historyDelayMs ?? 0));
  }
}
