/** Brings outputs to where the caller or the operator wants them. Success is reported only when every byte is safe. */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { EndpointError } from "../../runtime/errors.ts";
import type { Config } from "../config.ts";
import type { Delivery } from "../request/delivery.ts";
import { comfyuiApiNames } from "./names.ts";
import type { Artifact, DeliveredOutput } from "./output.ts";
import { Results } from "./results.ts";
import type { ObjectStore } from "./s3.ts";

export interface DeliveryTarget {
  id: string;
  attempt: number;
  delivery: Delivery;
  signal: AbortSignal;
}

export interface Outputs {
  /** @throws EndpointError `upload_failed`, `output_too_large`; the signal's reason. */
  deliver(artifacts: Artifact[], target: DeliveryTarget): Promise<DeliveredOutput[]>;
}

type Settings = Pick<Config, "S3_BUCKET" | "S3_PREFIX" | "S3_PRESIGN_SECONDS" | "INLINE_MAX_MB">;

/** @param store opened when first needed: a request may name a bucket where the operator configured none. */
export function createOutputs(settings: Settings, store: () => Promise<ObjectStore>, log: Logger): Outputs {
  const { S3_BUCKET: bucket, S3_PREFIX: prefix, S3_PRESIGN_SECONDS: linkSeconds } = settings;

  type Place = { bucket: string; key: string };

  async function upload(
    artifacts: readonly Artifact[],
    placeOf: (artifact: Artifact, index: number) => Place,
    signal: AbortSignal,
  ): Promise<DeliveredOutput[]> {
    const s3 = await store();
    const uploads = artifacts.map(async (artifact, index) => {
      const to = placeOf(artifact, index);
      await s3.put(to.bucket, to.key, artifact.bytes, artifact.contentType, signal);
      return { ...artifact, location: await linked(to) };
    });
    return Promise.all(uploads);
  }

  /** Undefined when something of this name is there already: another copy of the invocation is at work, or was. */
  async function uploadWhereFree(
    artifacts: readonly Artifact[],
    placeOf: (artifact: Artifact) => Place,
    signal: AbortSignal,
  ): Promise<DeliveredOutput[] | undefined> {
    const s3 = await store();
    const uploads = artifacts.map(async (artifact) => {
      const to = placeOf(artifact);
      const isFirst = await s3.putOnce(to.bucket, to.key, artifact.bytes, artifact.contentType, signal);
      return isFirst ? { ...artifact, location: await linked(to) } : undefined;
    });
    const outputs = await Promise.all(uploads);
    return outputs.every((output) => output !== undefined) ? outputs : undefined;
  }

  async function linked(to: Place): Promise<Place & { url?: string }> {
    return linkSeconds > 0 ? { ...to, url: await (await store()).presign(to.bucket, to.key, linkSeconds) } : to;
  }

  const results = bucket === undefined ? undefined : new Results(bucket, prefix, store);

  /** The result document comes last: where it stands, all that it names is there. */
  async function writeResult(outputs: DeliveredOutput[], { id, attempt, signal }: DeliveryTarget): Promise<void> {
    const isFirst = await results?.writeSuccess({ id, attempt, outputs }, signal);
    if (isFirst === false)
      log.warn({ key: results?.key(id) }, "a result document with this id exists already and was kept");
  }

  return {
    async deliver(artifacts, target) {
      const { id, attempt, delivery, signal } = target;
      if (delivery.s3) {
        const { bucket: to, prefix: keyPrefix } = delivery.s3;
        const names = comfyuiApiNames(
          id,
          artifacts.map(({ name }) => name),
        );
        const outputs = await upload(artifacts, (_, index) => ({ bucket: to, key: keyPrefix + names[index] }), signal);
        await writeResult(outputs, target);
        return outputs;
      }
      if (bucket === undefined || delivery.isInline) refuseTooLarge(artifacts, settings.INLINE_MAX_MB);
      if (bucket === undefined) return artifacts;
      const within = (folder: string) => (artifact: Artifact) => ({ bucket, key: `${folder}/${artifact.name}` });
      const folder = `${prefix}outputs/${id}/${attempt}`;
      // What a result document names must stay as it is.
      const outputs =
        (await uploadWhereFree(artifacts, within(folder), signal)) ??
        (await upload(artifacts, within(`${folder}-${randomUUID()}`), signal));
      await writeResult(outputs, target);
      return outputs;
    },
  };
}

function refuseTooLarge(artifacts: Artifact[], maxMb: number): void {
  const bytes = artifacts.reduce((sum, artifact) => sum + artifact.bytes.length, 0);
  if (bytes <= maxMb * 1e6) return;
  const message = `the outputs have ${Math.ceil(bytes / 1e6)} MB, more than the ${maxMb} MB that are returned inline; configure S3_BUCKET, or name a bucket in the request`;
  throw new EndpointError("output_too_large", message);
}
