/** What holds for an invocation on every platform: each behaviour is written once, and runs through each adapter's own wire. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { colourGraph, quickTxt2Img, slowTxt2Img } from "../support/payloads.ts";
import { decode } from "../support/pictures.ts";
import type { Driver, Feature, Outcome, Platform } from "./driver.ts";

const SHARED = { ENGINE: "emulator", COMFYUI_COMMAND: "" };
const COLD = { ...SHARED, COMFYUI_ARGS: "--step-delay 10 --fault boot-delay=500", SHUTDOWN_GRACE_SECONDS: "20" };
/** With little time, for an invocation and for the end. */
const HASTY = {
  ...SHARED,
  COMFYUI_ARGS: "--step-delay 10",
  INVOCATION_TIMEOUT_SECONDS: "2",
  SHUTDOWN_GRACE_SECONDS: "0.5",
};
const BROKEN = { ...SHARED, COMFYUI_ARGS: "--fault boot-exit=1", COMFYUI_MAX_RESTARTS: "0" };
/** Half a minute. */
const ENDLESS = slowTxt2Img({ steps: 3_000 });
/** Letters; more than any platform carries that has a limit. */
const HUGE = 10_240_000;
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const POISON: readonly (readonly [code: string, payload: object, name: string])[] = [
  ["invalid_request", quickTxt2Img({ steps: "many" }), "steps"],
  ["invalid_workflow", { prompt: { "1": { class_type: "NoSuchNode", inputs: {} } } }, "NoSuchNode"],
  ["unknown_sampler", quickTxt2Img({ sampler_name: "nope" }), "nope"],
];

export function adapterContract(platform: Platform): void {
  describe(`${platform.name}: an invocation`, () => {
    const driver = sharedDriver(platform, COLD);
    const { having, colourOf, queued, runsOf } = tools(platform, driver);

    test("F21: that comes while the engine starts is served when it is up", async () => {
      expect(driver().worker.log.some(({ message }) => message === "engine ready")).toBe(false);
      expect(await colourOf("early", 0x102030)).toEqual([0x10, 0x20, 0x30]);
      const order = ["invocation received", "engine ready"].map((text) =>
        driver().worker.log.findIndex(({ message }) => message === text),
      );
      expect(order[0]! < order[1]! ? "taken" : "left").toBe(platform.early);
    });

    test("is answered with its result, under the id that it came with", async () => {
      const outcome = await driver().invoke({ prompt: colourGraph(0x405060) }, { id: "named" });
      expect(outcome).toMatchObject({ status: "succeeded", id: "named", outputs: [expect.any(Buffer)] });
      expect(runsOf("named")).toBe(1);
    });

    test("may be A1111's request", async () => {
      const outcome = await driver().invoke(quickTxt2Img(), { id: "a1111" });
      expect(outcome).toMatchObject({ status: "succeeded" });
      const { outputs } = outcome as { outputs: Buffer[] };
      expect(await Promise.all(outputs.map(decode))).toMatchObject([{ width: 64, height: 64 }]);
    });

    test("gets its own answer among others that come at once", async () => {
      const colours = [0x010203, 0x040506, 0x070809];
      const answers = await Promise.all(colours.map((colour, index) => colourOf(`among-${index}`, colour)));
      expect(answers).toEqual([
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
      ]);
    });

    test.each(POISON)(
      "F3: that can never succeed fails by %s, and the engine serves on",
      async (code, payload, name) => {
        const { invoke, worker } = driver();
        const engine = worker.enginePid();
        const outcome = await invoke(payload, { id: code });
        expect(outcome).toMatchObject({
          status: "failed",
          code,
          retryable: false,
          message: expect.stringContaining(name),
        });
        expect(runsOf(code)).toBe(0);
        expect(await colourOf(`after-${code}`, 1)).toEqual([0, 0, 1]);
        expect(worker.enginePid()).toBe(engine);
      },
    );

    test.each(["webhook", "init_images"])(
      "F24: that names an address as its %s is refused, and nobody asks there",
      async (field) => {
        const asked = await startListening();
        const payload =
          field === "webhook"
            ? { prompt: colourGraph(1), webhook: asked.url }
            : quickTxt2Img({ init_images: [`${asked.url}/picture.png`] });
        const outcome = await driver().invoke(payload, { id: `address-${field}` });
        expect(outcome).toMatchObject({ status: "failed", retryable: false, message: expect.stringContaining(field) });
        expect(asked.connections()).toBe(0);
      },
    );

    test(`F20: whose engine dies is ${platform.retryable === "told" ? "told to be retryable" : platform.retryable}, and the next one is served`, async () => {
      const outcome = driver().invoke(slowTxt2Img({ steps: 50 }), { id: "crashed" });
      await queued("crashed");
      process.kill(-driver().worker.enginePid(), "SIGKILL");
      expect(await outcome).toMatchObject(
        platform.retryable === "told"
          ? { status: "failed", code: "comfyui_exited", retryable: true }
          : { status: "succeeded" },
      );
      expect(runsOf("crashed")).toBe(platform.retryable === "told" ? 1 : 2);
      expect(await colourOf("after-crash", 1)).toEqual([0, 0, 1]);
    });

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

    test(`F16: with an answer of 10 MB ${platform.lacks["largest answer"] ? "is answered" : "fails by a code, and says what helps"}`, async () => {
      const outcome = await driver().invoke({ prompt: hugeTextGraph() }, { id: "huge" });
      expect(outcome).toMatchObject(
        platform.lacks["largest answer"]
          ? { status: "succeeded", outputs: [{ length: HUGE }] }
          : {
              status: "failed",
              code: "output_too_large",
              retryable: false,
              message: expect.stringContaining("S3_BUCKET"),
            },
      );
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

    having("trace")("has its caller's trace in its log lines", async () => {
      await driver().invoke({ prompt: colourGraph(3) }, { id: "traced", trace: TRACE });
      const lines = driver().worker.log.filter(({ invocationId }) => invocationId === "traced");
      expect(lines.map((line) => line[platform.traceField!])).toEqual(lines.map(() => TRACE));
      expect(lines.length).toBeGreaterThan(1);
    });

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
  });

  describe(`${platform.name}: an invocation without end`, () => {
    const driver = sharedDriver(platform, HASTY);
    const { colourOf, queued } = tools(platform, driver);
    beforeAll(() => driver().worker.logged(({ message }) => message === "engine ready"));

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
  });

  test(`${platform.name}: F21: an invocation whose engine never starts is ${platform.early === "taken" ? "told so" : "left to another worker"}, and the worker ends with 1`, async () => {
    const { invoke, worker } = await platform.start(BROKEN, onTestFinished);
    const outcome = invoke({ prompt: colourGraph(1) }, { id: "hopeless" });
    expect(await worker.exited).toBe(1);
    expect(await orLeft(outcome)).toEqual(
      platform.early === "left"
        ? "left"
        : { status: "failed", code: "comfyui_start_failed", retryable: true, message: expect.any(String) },
    );
  });
}

/** What has come of it once its worker is gone; what was sent last may still be on its way. */
const orLeft = (outcome: Promise<Outcome>) => Promise.race([outcome, sleep(500, "left")]);

/** One process for the tests of a block. */
function sharedDriver(platform: Platform, settings: Record<string, string>): () => Driver {
  let driver: Driver | undefined;
  const stops: (() => void | Promise<void>)[] = [];
  beforeAll(async () => {
    driver = await platform.start(settings, (stop) => stops.push(stop));
  });
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });
  return () => driver!;
}

function tools({ lacks }: Platform, driver: () => Driver) {
  const isQueued = (id: string) => (line: { message: string; invocationId?: unknown }) =>
    line.message === "prompt queued" && line.invocationId === id;
  return {
    /** A test for platforms that have it; for others, a test that is left out for the reason. */
    having: (feature: Feature) => (name: string, body: () => Promise<void>) =>
      lacks[feature] === undefined ? test(name, body) : test.skip(`${name} (not here: ${lacks[feature]})`, body),
    /** The picture's first pixel. */
    colourOf: async (id: string, colour: number) => {
      const outcome = await driver().invoke({ prompt: colourGraph(colour) }, { id });
      expect(outcome).toMatchObject({ status: "succeeded", outputs: [expect.any(Buffer)] });
      const { outputs } = outcome as { outputs: Buffer[] };
      return [...(await decode(outputs[0]!)).data.subarray(0, 3)];
    },
    queued: (id: string) => driver().worker.logged(isQueued(id)),
    runsOf: (id: string) => driver().worker.log.filter(isQueued(id)).length,
  };
}

/** An address of this machine's, as of a service that is not for everybody. */
async function startListening() {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections };
}

/** A short request for so many letters. */
function hugeTextGraph() {
  const doublings = Array.from({ length: 7 }, (_, index) => [
    `${index + 2}`,
    {
      class_type: "StringConcatenate",
      inputs: { string_a: [`${index + 1}`, 0], string_b: [`${index + 1}`, 0], delimiter: "" },
    },
  ]);
  return {
    "1": { class_type: "PrimitiveString", inputs: { value: "x".repeat(HUGE / 128) } },
    ...Object.fromEntries(doublings),
    "9": { class_type: "PreviewAny", inputs: { source: ["8", 0] } },
  };
}
