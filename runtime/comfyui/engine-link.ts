/** One engine process, from its first answer to its end, as those who run prompts on it see it. */
import type { ComfyClient } from "./client.ts";
import type { EngineSocket } from "./socket.ts";

export interface EngineLink {
  client: ComfyClient;
  socket: EngineSocket;
  /** Fires with an EndpointError when the process is gone. */
  gone: AbortSignal;
  /** An interrupt only acts between steps, so a long kernel or a model load may finish first; after this the process is condemned. */
  interruptGraceMs: number;
  /** Declares the process unfit (its worker thread is dead, it does not answer ...): it is killed and `gone` fires. */
  condemn(reason: string): void;
}
