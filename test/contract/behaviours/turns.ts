/** Work that meets other work: it comes twice, is limited in time, watched, or not wanted any more. */
import { expect } from "vitest";
import { colourGraph, slowTxt2Img } from "../../support/payloads.ts";
import { type Block, ENDLESS } from "../block.ts";

export function turns({ driver, having, queued, colourOf, runsOf }: Block): void {
  having("time limit")("F7: is interrupted when the platform's time for it is over", async () => {
    const startedAt = performance.now();
    const outcome = await driver().invoke(ENDLESS, { id: "limited", timeoutMs: 1_500 });
    expect(outcome).toMatchObject({ status: "failed", code: "deadline_exceeded", retryable: false });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  having("cancel")("F11: that is cancelled is interrupted, and the next one is served at once", async () => {
    const { invoke, cancel, worker } = driver();
    // Who has left is told nothing, if the platform can tell it at all.
    invoke(ENDLESS, { id: "unwanted" }).catch(() => {});
    await queued("unwanted");
    cancel!("unwanted");
    await worker.logged(({ invocationId, code }) => invocationId === "unwanted" && code === "cancelled");
    const startedAt = performance.now();
    expect(await colourOf("after-cancel", 1)).toEqual([0, 0, 1]);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  having("one run for two at once")("F2: that comes twice at once runs once, and both have its result", async () => {
    const twice = [1, 2].map(() => driver().invoke(slowTxt2Img({ steps: 50 }), { id: "twice" }));
    const [one, two] = await Promise.all(twice);
    expect(one).toMatchObject({ status: "succeeded" });
    expect(two).toEqual(one);
    expect(await colourOf("after-twice", 1)).toEqual([0, 0, 1]);
    expect(runsOf("twice")).toBe(1);
  });

  having("one run for two in turn")("F1: that comes again has the result that stands", async () => {
    const first = await driver().invoke({ prompt: colourGraph(2) }, { id: "again" });
    expect(await driver().invoke({ prompt: colourGraph(2) }, { id: "again" })).toEqual(first);
    expect(await colourOf("after-again", 1)).toEqual([0, 0, 1]);
    expect(runsOf("again")).toBe(1);
  });

  having("progress")("tells its steps before it ends", async () => {
    const outcome = driver().invoke(slowTxt2Img({ steps: 180 }), { id: "watched" });
    const { step, steps } = await driver().progress!("watched");
    expect(steps).toBe(180);
    expect(step).toBeGreaterThan(0);
    expect(step).toBeLessThan(180);
    expect(await outcome).toMatchObject({ status: "succeeded" });
  });

  having("order")("has its turn in the order in which it came", async () => {
    const { invoke, worker } = driver();
    const ids = [1, 2, 3].map((turn) => `turn-${turn}`);
    const first = invoke(slowTxt2Img({ steps: 50 }), { id: "turn-0" });
    await queued("turn-0");
    const others = [];
    for (const id of ids) {
      others.push(invoke({ prompt: colourGraph(1) }, { id }));
      // Of the wire's own ways.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await Promise.all([first, ...others]);
    const begun = worker.log.flatMap(({ message, invocationId }) =>
      message === "prompt queued" && ids.includes(String(invocationId)) ? [invocationId] : [],
    );
    expect(begun).toEqual(ids);
  });
}
