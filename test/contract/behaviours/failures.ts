/** What goes wrong while an engine works on it. */
import { expect, test } from "vitest";
import { colourGraph, slowTxt2Img } from "../../support/payloads.ts";
import type { Block } from "../block.ts";

/** Of a picture without transparency. */
const RAISES = {
  "1": { class_type: "EmptyImage", inputs: { width: 64, height: 64, batch_size: 1, color: 1 } },
  "7": { class_type: "ImageToMask", inputs: { image: ["1", 0], channel: "alpha" } },
  "8": { class_type: "MaskToImage", inputs: { mask: ["7", 0] } },
  "9": { class_type: "SaveImage", inputs: { images: ["8", 0], filename_prefix: "raises" } },
};

export function failures({ platform, driver, queued, colourOf, runsOf }: Block): void {
  const isTold = platform.retryable === "told";

  test("F3: whose node raises is told which one and what, and the engine serves on", async () => {
    const { invoke, worker } = driver();
    const engine = worker.enginePid();
    const outcome = await invoke({ prompt: RAISES }, { id: "raises" });
    expect(outcome).toMatchObject({ status: "failed", code: "execution_error", retryable: false });
    const { message } = outcome as { message: string };
    expect(["7", "ImageToMask", "IndexError", "out of bounds"].filter((word) => !message.includes(word))).toEqual([]);
    expect(runsOf("raises")).toBe(1);
    expect(await colourOf("after-raises", 1)).toEqual([0, 0, 1]);
    expect(worker.enginePid()).toBe(engine);
  });

  test(`F20: whose engine dies is ${isTold ? "told to be retryable" : platform.retryable}, and the next one is served`, async () => {
    const outcome = driver().invoke(slowTxt2Img({ steps: 50 }), { id: "crashed" });
    await queued("crashed");
    process.kill(-driver().worker.enginePid(), "SIGKILL");
    expect(await outcome).toMatchObject(
      isTold ? { status: "failed", code: "comfyui_exited", retryable: true } : { status: "succeeded" },
    );
    expect(runsOf("crashed")).toBe(isTold ? 1 : 2);
    expect(await colourOf("after-crash", 1)).toEqual([0, 0, 1]);
  });
}

/** Of an engine whose memory does not suffice three times. */
export function shortMemory({ platform, driver, colourOf }: Block): void {
  const isTold = platform.retryable === "told";

  test(`whose memory does not suffice, also when it was freed, is ${isTold ? "told to be retryable" : platform.retryable}`, async () => {
    const outcome = await driver().invoke({ prompt: colourGraph(1) }, { id: "large" });
    expect(outcome).toMatchObject(
      isTold ? { status: "failed", code: "out_of_memory", retryable: true } : { status: "succeeded" },
    );
  });

  test("whose memory suffices when it was freed succeeds", async () => {
    const engine = driver().worker.enginePid();
    expect(await colourOf("less-large", 2)).toEqual([0, 0, 2]);
    expect(driver().worker.enginePid()).toBe(engine);
  });
}
