/** How a worker starts, says how it is, and ends. */
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { colourGraph, slowTxt2Img } from "../../support/payloads.ts";
import { type Block, ENDLESS, isReady, orLeft, SHARED, whenEngineGone } from "../block.ts";
import type { Platform } from "../driver.ts";

const BROKEN = { ...SHARED, COMFYUI_ARGS: "--fault boot-exit=1", COMFYUI_MAX_RESTARTS: "0" };

export function coldStart({ platform, driver, colourOf }: Block): void {
  test("F21: that comes while the engine starts is served when it is up", async () => {
    expect(driver().worker.log.some(isReady)).toBe(false);
    expect(await colourOf("early", 0x102030)).toEqual([0x10, 0x20, 0x30]);
    const order = ["invocation received", "engine ready"].map((text) =>
      driver().worker.log.findIndex(({ message }) => message === text),
    );
    expect(order[0]! < order[1]! ? "taken" : "left").toBe(platform.early);
  });
}

export function leavesNothing({ driver, outputsOf, files }: Block): void {
  test("leaves no file behind, whatever has come of it", async () => {
    const preview = { ...colourGraph(1), "2": { class_type: "PreviewImage", inputs: { images: ["1", 0] } } };
    expect(await outputsOf("preview", { prompt: preview })).toEqual([]);
    expect(driver().worker.log.some(({ message }) => message === "invocation failed")).toBe(true);
    await expect.poll(files, { timeout: 5_000 }).toEqual([]);
  });
}

export function drain({ driver, queued, runsOf }: Block): void {
  test("F13: that runs when SIGTERM comes is finished and answered, and no other is run", async () => {
    const { invoke, worker } = driver();
    const outcome = invoke(slowTxt2Img({ steps: 80 }), { id: "last" });
    await queued("last");
    worker.process.kill("SIGTERM");
    await worker.logged(({ message }) => message === "shutting down");
    // Whether it is refused or never taken is the platform's.
    invoke({ prompt: colourGraph(1) }, { id: "too-late" }).catch(() => {});
    expect(await outcome).toMatchObject({ status: "succeeded" });
    expect(await worker.exited).toBe(0);
    expect(runsOf("too-late")).toBe(0);
  });
}

export function noEnd({ platform, driver, queued, colourOf }: Block): void {
  test("F7: is interrupted when the operator's time is over, and the next one is served", async () => {
    const outcome = await driver().invoke(ENDLESS, { id: "endless" });
    expect(outcome).toMatchObject({ status: "failed", code: "deadline_exceeded", retryable: false });
    expect(await colourOf("after-endless", 1)).toEqual([0, 0, 1]);
  });

  test(`F13: is ${platform.interrupted} when the time after SIGTERM is over`, async () => {
    const { invoke, worker } = driver();
    const outcome = invoke(ENDLESS, { id: "interrupted" });
    await queued("interrupted");
    worker.process.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
    expect(await orLeft(outcome)).toEqual(
      platform.interrupted === "left"
        ? "left"
        : { status: "failed", code: "draining", retryable: true, message: expect.any(String) },
    );
  });
}

/** One after the other, of one worker's life. */
export function states({ driver, having, queued }: Block): void {
  const said = async () => {
    const { url } = await driver().worker.logged(({ url }) => url !== undefined);
    const [health, ready, ping] = await Promise.all(["/health", "/ready", "/ping"].map((path) => fetch(url + path)));
    const { state } = (await ready!.json()) as { state: string };
    return { state, health: health!.status, ready: ready!.status, ping: ping!.status };
  };

  having("probes")("says that it starts", async () => {
    expect(await said()).toEqual({ state: "starting", health: 200, ready: 503, ping: 204 });
  });

  having("probes")("says that it is ready", async () => {
    await driver().worker.logged(isReady);
    expect(await said()).toEqual({ state: "ready", health: 200, ready: 200, ping: 200 });
  });

  describe("that is told to leave while it works", () => {
    beforeAll(async () => {
      const { invoke, worker } = driver();
      invoke(ENDLESS, { id: "abandoned" }).catch(() => {});
      await queued("abandoned");
      worker.process.kill("SIGTERM");
      await worker.logged(({ to }) => to === "draining");
    });

    having("probes")("F13: says that it leaves, and lives on", async () => {
      expect(await said()).toEqual({ state: "draining", health: 200, ready: 503, ping: 503 });
    });

    test("F13: ends at once when it is told so again, and takes its engine along", async () => {
      const { worker } = driver();
      const startedAt = performance.now();
      worker.process.kill("SIGTERM");
      expect(await worker.exited).toBe(143);
      expect(performance.now() - startedAt).toBeLessThan(3_000);
      await whenEngineGone(worker);
    });
  });
}

export function shortLives(platform: Platform): void {
  const start = (settings: Record<string, string>) => platform.start(settings, onTestFinished);

  test(`F21: an invocation whose engine never starts is ${platform.early === "taken" ? "told so" : "left to another worker"}, and the worker ends with 1`, async () => {
    const { invoke, worker } = await start(BROKEN);
    const outcome = invoke({ prompt: colourGraph(1) }, { id: "hopeless" });
    expect(await worker.exited).toBe(1);
    expect(await orLeft(outcome)).toEqual(
      platform.early === "left"
        ? "left"
        : { status: "failed", code: "comfyui_start_failed", retryable: true, message: expect.any(String) },
    );
  });

  test("F13: a worker without work ends soon after SIGTERM, with 0, and takes its engine along", async () => {
    const { worker } = await start(SHARED);
    await worker.logged(isReady);
    const startedAt = performance.now();
    worker.process.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    await whenEngineGone(worker);
  });

  test("a worker with a wrong setting ends with 2, and names it", async () => {
    const [setting] = Object.keys(platform.mistake);
    // Where it should listen there is nobody, which is told by what was printed.
    const end = await start({ ...SHARED, ...platform.mistake }).then(
      async ({ worker }) =>
        `ended with ${await worker.exited}:\n${worker.log.map(({ message }) => message).join("\n")}`,
      (error: Error) => error.message,
    );
    expect(end).toMatch(/ended with 2:\n/);
    expect(end).toContain(setting);
  });
}
