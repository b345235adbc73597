/** The result documents of invocations: one for each id, whatever happens how often; and how often ComfyUI died of one. */
import { EndpointError, type ErrorBody } from "../../runtime/errors.ts";
import { describeOutput } from "./native-response.ts";
import type { DeliveredOutput } from "./output.ts";
import type { ObjectStore } from "./s3.ts";

/** As it stands under `<prefix>results/<id>.json`. */
export type ResultDocument = SuccessDocument | FailureDocument;

interface SuccessDocument {
  id: string;
  status: "succeeded";
  attempt: number;
  outputs: ReturnType<typeof describeOutput>[];
}

interface FailureDocument {
  id: string;
  status: "failed";
  attempt: number;
  /** Of the queue's message that asked for it. */
  message_id?: string;
  error: ErrorBody["error"];
}

/** A document names outputs, and may hold short texts. */
const MAX_DOCUMENT_BYTES = 32 * 1024 ** 2;
const MAX_MARKER_BYTES = 1024;

export class Results {
  readonly bucket: string;
  readonly #prefix: string;
  readonly #open: () => Promise<ObjectStore>;

  /** @param open opens the store, when first needed. */
  constructor(bucket: string, prefix: string, open: () => Promise<ObjectStore>) {
    this.bucket = bucket;
    this.#prefix = prefix;
    this.#open = open;
  }

  key(id: string): string {
    return `${this.#prefix}results/${id}.json`;
  }

  /** Whether an object is one that this program writes. */
  isOwn(bucket: string, key: string): boolean {
    const own = ["results/", "outputs/", "crashes/"].map((folder) => this.#prefix + folder);
    return bucket === this.bucket && own.some((start) => key.startsWith(start));
  }

  /** @throws EndpointError `download_failed`. */
  async find(id: string, signal: AbortSignal): Promise<ResultDocument | undefined> {
    return (await this.#read(this.key(id), MAX_DOCUMENT_BYTES, signal)) as ResultDocument | undefined;
  }

  /** False when there is a document already, which stays. @throws EndpointError `upload_failed`. */
  async writeSuccess(
    { id, attempt, outputs }: { id: string; attempt: number; outputs: readonly DeliveredOutput[] },
    signal: AbortSignal,
  ): Promise<boolean> {
    const described = outputs.map(({ location, ...output }) =>
      // A link would be dead before the document is.
      describeOutput({ ...output, location: { bucket: location!.bucket, key: location!.key } }),
    );
    return this.#write({ id, status: "succeeded", attempt, outputs: described }, signal);
  }

  /** False when there is a document already, which stays. @throws EndpointError `upload_failed`. */
  async writeFailure(document: FailureDocument, signal: AbortSignal): Promise<boolean> {
    return this.#write(document, signal);
  }

  /** How often ComfyUI died of this invocation. @throws EndpointError `download_failed`. */
  async crashes(id: string, signal: AbortSignal): Promise<number> {
    const marker = await this.#read(this.#crashKey(id), MAX_MARKER_BYTES, signal);
    return (marker as { crashes: number } | undefined)?.crashes ?? 0;
  }

  /** @returns how often by now. @throws EndpointError `download_failed`, `upload_failed`. */
  async countCrash(id: string, signal: AbortSignal): Promise<number> {
    const crashes = (await this.crashes(id, signal)) + 1;
    const marker = Buffer.from(JSON.stringify({ id, crashes }));
    await (await this.#open()).put(this.bucket, this.#crashKey(id), marker, "application/json", signal);
    return crashes;
  }

  #crashKey(id: string): string {
    return `${this.#prefix}crashes/${id}.json`;
  }

  async #write(document: ResultDocument, signal: AbortSignal): Promise<boolean> {
    const text = Buffer.from(JSON.stringify(document));
    return (await this.#open()).putOnce(this.bucket, this.key(document.id), text, "application/json", signal);
  }

  async #read(key: string, maxBytes: number, signal: AbortSignal): Promise<unknown> {
    try {
      const bytes = await (await this.#open()).get(this.bucket, key, { maxBytes, signal });
      return bytes && JSON.parse(bytes.toString());
    } catch (error) {
      // So S3 answers for what is not there to those who may not list the bucket.
      if (error instanceof EndpointError && error.details?.["reason"] === "AccessDenied") return undefined;
      throw error;
    }
  }
}
