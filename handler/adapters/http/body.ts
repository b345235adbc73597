/** Reads request bodies, within limits that hold for one body and for all that are in memory at once. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "hono";
import { EndpointError } from "../../../runtime/errors.ts";
import { parseJson } from "../../../runtime/json.ts";

/** Bodies that wait for the engine together may be as large as so many of the largest. */
const BODIES_IN_MEMORY = 2;
/** How long a caller that was refused may go on sending, in all and between two pieces. */
const LINGER_MS = 2_000;
const LINGER_IDLE_MS = 100;

type BodyStream = ReadableStreamDefaultReader<Uint8Array>;

export class BodyReader {
  readonly #maxBytes: number;
  #bytesInMemory = 0;

  /** @param maxMb size of the largest body, in megabytes. */
  constructor(maxMb: number) {
    this.#maxBytes = maxMb * 1e6;
  }

  /**
   * Parses the body (as JSON, unless the dialect has rules of its own) and hands it to `work`; its bytes count until that is done.
   * @throws EndpointError `payload_too_large`, `queue_full` (by the declared size before anything is read), `invalid_json`.
   */
  async read<T>(
    context: Context,
    work: (payload: unknown) => Promise<T>,
    parse: (text: string) => unknown = parseStrictly,
  ): Promise<T> {
    const claim = { bytes: 0 };
    const declared = context.req.header("content-length");
    try {
      const text =
        declared === undefined ? this.#chunked(context, claim) : this.#declared(context, Number(declared), claim);
      return await work(parse(await text));
    } finally {
      this.#bytesInMemory -= claim.bytes;
    }
  }

  /** Node's parser sees to it that a body is as long as it says. */
  async #declared(context: Context, bytes: number, claim: { bytes: number }): Promise<string> {
    try {
      this.#claim(bytes, claim);
    } catch (refusal) {
      await discard(context.req.raw.body?.getReader());
      throw refusal;
    }
    return context.req.raw.text();
  }

  async #chunked(context: Context, claim: { bytes: number }): Promise<string> {
    const decoder = new TextDecoder();
    const parts: string[] = [];
    // Not `for await`: leaving that early cancels the stream and resets the connection, and the caller would miss the answer.
    const reader = context.req.raw.body?.getReader();
    try {
      for (let piece = await reader?.read(); piece?.value; piece = await reader?.read()) {
        this.#claim(piece.value.length, claim);
        parts.push(decoder.decode(piece.value, { stream: true }));
      }
    } catch (error) {
      if (error instanceof EndpointError) await discard(reader);
      throw error;
    }
    return parts.join("") + decoder.decode();
  }

  #claim(bytes: number, claim: { bytes: number }): void {
    if (claim.bytes + bytes > this.#maxBytes) {
      throw new EndpointError("payload_too_large", `the body is larger than ${this.#maxBytes / 1e6} MB`);
    }
    if (this.#bytesInMemory + bytes > BODIES_IN_MEMORY * this.#maxBytes) {
      throw new EndpointError(
        "queue_full",
        "the bodies that wait for the engine are too large together to take one more",
      );
    }
    claim.bytes += bytes;
    this.#bytesInMemory += bytes;
  }
}

/** Lets a caller finish sending what nobody reads: a connection closed on unread bytes is reset, and the answer lost with it. */
async function discard(reader: BodyStream | undefined): Promise<void> {
  const until = Date.now() + LINGER_MS;
  while (reader && Date.now() < until) {
    const idle = new AbortController();
    const next = await Promise.race([
      reader.read().catch(() => undefined),
      sleep(LINGER_IDLE_MS, undefined, { signal: idle.signal }).catch(() => undefined),
    ]);
    idle.abort();
    if (next === undefined || next.done) return;
  }
}

function parseStrictly(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new EndpointError("invalid_json", `the body is not JSON: ${(cause as Error).message}`, { cause });
  }
}
