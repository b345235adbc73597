/** Reads request bodies, within limits that hold for one body and for all that are in memory at once. */
import type { Context } from "hono";
import { EndpointError } from "../../../runtime/errors.ts";
import { parseJson } from "../../../runtime/json.ts";

/** Bodies that wait for the engine together may be as large as so many of the largest. */
const BODIES_IN_MEMORY = 2;

export class BodyReader {
  readonly #maxBytes: number;
  #bytesInMemory = 0;

  /** @param maxMb size of the largest body, in megabytes. */
  constructor(maxMb: number) {
    this.#maxBytes = maxMb * 1e6;
  }

  /**
   * Parses the body and hands it to `work`; its bytes count until that is done.
   * @throws EndpointError `payload_too_large`, `queue_full` before anything is read, `invalid_json`.
   */
  async read<T>(context: Context, work: (payload: unknown) => Promise<T>): Promise<T> {
    const declared = Number(context.req.header("content-length") ?? 0);
    this.#admit(declared, 0);
    const claim = { bytes: 0 };
    try {
      return await work(parse(await this.#text(context.req.raw.body, claim)));
    } finally {
      this.#bytesInMemory -= claim.bytes;
    }
  }

  async #text(body: ReadableStream<Uint8Array> | null, claim: { bytes: number }): Promise<string> {
    const decoder = new TextDecoder();
    const parts: string[] = [];
    for await (const chunk of body ?? []) {
      this.#admit(chunk.length, claim.bytes);
      claim.bytes += chunk.length;
      this.#bytesInMemory += chunk.length;
      parts.push(decoder.decode(chunk, { stream: true }));
    }
    return parts.join("") + decoder.decode();
  }

  #admit(bytes: number, ofThisBody: number): void {
    if (ofThisBody + bytes > this.#maxBytes) {
      throw new EndpointError("payload_too_large", `the body is larger than ${this.#maxBytes / 1e6} MB`);
    }
    if (this.#bytesInMemory + bytes > BODIES_IN_MEMORY * this.#maxBytes) {
      throw new EndpointError(
        "queue_full",
        "the bodies that wait for the engine are too large together to take one more",
      );
    }
  }
}

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new EndpointError("invalid_json", `the body is not JSON: ${(cause as Error).message}`, { cause });
  }
}
