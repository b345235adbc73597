/** EC2's notice that a Spot instance is taken away in two minutes: no more work is taken, and what runs may use the time that is left. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Hook } from "./hook.ts";

const METADATA = "http://169.254.169.254";
const POLL_MS = 5_000;
const TIMEOUT_MS = 2_000;
const TOKEN_SECONDS = 21_600;
/** Left for stopping the engine and the process. */
const MARGIN_MS = 10_000;

/** Only where the metadata service is EC2's: other clouds have others at the same address. */
const isOnEc2 = (environment: Readonly<Record<string, string | undefined>>) =>
  environment["AWS_EC2_METADATA_DISABLED"] !== "true" &&
  (environment["AWS_EXECUTION_ENV"] === "AWS_ECS_EC2" ||
    ["AWS_BATCH_JOB_ID", "AWS_EC2_METADATA_SERVICE_ENDPOINT"].some((name) => environment[name]));

/** Leaves at the notice. A metadata service that fails is asked again, and nothing waits for it. */
export const watchSpotNotice: Hook = ({ config, log, leave }) => {
  if (!isOnEc2(config.environment)) return undefined;
  const metadata = config.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"]?.replace(/\/$/, "") ?? METADATA;
  const stopped = new AbortController();
  const { signal } = stopped;
  let token: string | undefined;

  const ask = async (path: string, init: RequestInit): Promise<Response> =>
    fetch(metadata + path, { ...init, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) });

  /** @returns when the instance ends, in milliseconds since the epoch; undefined while nothing is known of it. */
  const readNotice = async (): Promise<number | undefined> => {
    token ??= await readToken();
    const response = await ask("/latest/meta-data/spot/instance-action", {
      headers: { "x-aws-ec2-metadata-token": token },
    });
    const text = await response.text();
    if (response.status === 401) token = undefined;
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`${response.status} for the notice`);
    return Date.parse((JSON.parse(text) as { time: string }).time);
  };
  const readToken = async (): Promise<string> => {
    const headers = { "x-aws-ec2-metadata-token-ttl-seconds": String(TOKEN_SECONDS) };
    const response = await ask("/latest/api/token", { method: "PUT", headers });
    if (!response.ok) throw new Error(`${response.status} for a token`);
    return response.text();
  };
  const watch = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted; ) {
      try {
        const endsAt = await readNotice();
        failures = 0;
        if (endsAt !== undefined) {
          leave({ reason: "EC2 takes this Spot instance away", graceMs: Math.max(endsAt - Date.now() - MARGIN_MS, 0) });
          return;
        }
      } catch (error) {
        if (failures++ === 0 && !signal.aborted)
          log.warn({ err: error }, "the EC2 metadata service does not tell about Spot notices; asking again");
      }
      await sleep(POLL_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  };
  void watch();
  return () => stopped.abort();
};
