/** What is different with a bucket, and how a worker ends whose engine dies too often. */
import { beforeAll, expect, test } from "vitest";
import { type Aws, BUCKET, startAws } from "../../support/aws.ts";
import { colourGraph } from "../../support/payloads.ts";
import { type Block, ENDLESS, firstPixel, orLeft } from "../block.ts";
import { HUGE, hugeTextGraph } from "./answers.ts";

/** Called before the block's worker is started. @returns its settings, when they are known. */
export function sharedBucket() {
  let aws: Aws;
  beforeAll(async () => {
    const ends: (() => Promise<void>)[] = [];
    aws = await startAws({}, (end) => ends.push(end));
    return async () => {
      for (const end of ends) await end();
    };
  });
  return {
    aws: () => aws,
    settings: () => {
      const { SQS_QUEUE_URL: _, ...settings } = aws.settings;
      return settings;
    },
  };
}

export function bucket({ having, outputsOf }: Block, aws: () => Aws): void {
  const onlyWithout = having("answer without a bucket");

  onlyWithout("has its outputs there, named by its result document, and its answer has links", async () => {
    const [picture] = await outputsOf("kept", { prompt: colourGraph(0x010203, { filename_prefix: "sub/name" }) });
    expect(await firstPixel(picture!)).toEqual([1, 2, 3]);
    const key = "outputs/kept/1/sub/name_00001_.png";
    expect(await aws().keys("")).toEqual([key, "results/kept.json"]);
    expect(await aws().read("results/kept.json")).toMatchObject({
      id: "kept",
      status: "succeeded",
      attempt: 1,
      outputs: [{ bucket: BUCKET, key, content_type: "image/png", size_bytes: picture!.length }],
    });
  });

  onlyWithout("has its outputs where it wants them", async () => {
    await outputsOf("elsewhere", { prompt: colourGraph(1), s3: { bucket: BUCKET, prefix: "mine/" } });
    expect(await aws().keys("mine/")).toEqual(["mine/elsewhere_ComfyUI_00001_.png"]);
  });

  onlyWithout("F16: with an answer of 10 MB has a link", async () => {
    const outputs = await outputsOf("huge-kept", { prompt: hugeTextGraph() });
    expect(outputs.map(({ length }) => length)).toEqual([HUGE]);
  });
}

/** Of a worker that restarts no engine. */
export function lastCrash({ platform, driver, queued }: Block): void {
  const isTold = platform.retryable === "told";

  test(`F20: whose engine has died too often is ${isTold ? "told to be retryable" : "left to another worker"}, and the worker ends with 1`, async () => {
    const { invoke, worker } = driver();
    const outcome = invoke(ENDLESS, { id: "last-crash" });
    await queued("last-crash");
    process.kill(-worker.enginePid(), "SIGKILL");
    expect(await worker.exited).toBe(1);
    expect(await orLeft(outcome)).toEqual(
      isTold ? expect.objectContaining({ status: "failed", code: "comfyui_exited", retryable: true }) : "left",
    );
  });
}
