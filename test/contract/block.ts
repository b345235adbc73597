/** What the behaviours of one block share: a worker with its platform, and how far it is. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LogLine, RunningWorker } from "../support/endpoint.ts";
import { colourGraph, slowTxt2Img } from "../support/payloads.ts";
import { decode } from "../support/pictures.ts";
import type { Driver, Feature, Outcome, Platform } from "./driver.ts";

/** The engine of every block. */
export const SHARED = { ENGINE: "emulator", COMFYUI_COMMAND: "" };
/** Half a minute. */
export const ENDLESS = slowTxt2Img({ steps: 3_000 });

export interface Block {
  platform: Platform;
  /** Of the one process. */
  driver(): Driver;
  /** A test for platforms that have it; for others, a test that is left out for the reason. */
  having(feature: Feature): (name: string, body: () => Promise<void>) => void;
  /** The outputs of a payload that succeeds. */
  outputsOf(id: string, payload: unknown): Promise<Buffer[]>;
  /** The first pixel of the picture that comes back. */
  colourOf(id: string, colour: number): Promise<number[]>;
  queued(id: string): Promise<LogLine>;
  /** How often an engine began with it. */
  runsOf(id: string): number;
  /** In ComfyUI's folders. */
  files(): Promise<string[]>;
}

/** One process for the tests of a block. @param settings when they are known. */
export function startBlock(platform: Platform, settings: () => Record<string, string>): Block {
  let driver: Driver;
  let folder: string;
  const stops: (() => void | Promise<void>)[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "contract-"));
    stops.push(() => rm(folder, { recursive: true, force: true }));
    driver = await platform.start({ ...settings(), DATA_DIR: folder }, (stop) => stops.push(stop));
  });
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  const { lacks } = platform;
  const outputsOf = async (id: string, payload: unknown) => {
    const outcome = await driver.invoke(payload, { id });
    expect(outcome).toMatchObject({ status: "succeeded" });
    return (outcome as { outputs: Buffer[] }).outputs;
  };
  return {
    platform,
    driver: () => driver,
    having: (feature) => (name, body) =>
      lacks[feature] === undefined ? test(name, body) : test.skip(`${name} (not here: ${lacks[feature]})`, body),
    outputsOf,
    colourOf: async (id, colour) => {
      const outputs = await outputsOf(id, { prompt: colourGraph(colour) });
      expect(outputs).toHaveLength(1);
      return firstPixel(outputs[0]!);
    },
    queued: (id) => driver.worker.logged(isQueued(id)),
    runsOf: (id) => driver.worker.log.filter(isQueued(id)).length,
    files: async () => {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      // Beside them lies what tells it where our nodes are.
      const files = entries.filter((entry) => entry.isFile() && entry.parentPath !== folder);
      return files.map(({ parentPath, name }) => join(parentPath, name));
    },
  };
}

const isQueued = (id: string) => (line: LogLine) => line.message === "prompt queued" && line["invocationId"] === id;

export const isReady = ({ message }: LogLine) => message === "engine ready";

export const firstPixel = async (picture: Buffer) => [...(await decode(picture)).data.subarray(0, 3)];

/** What has come of it once its worker is gone; what was sent last may still be on its way. */
export const orLeft = (outcome: Promise<Outcome>) => Promise.race([outcome, sleep(500, "left")]);

/** Resolves when nothing is left of a worker's engine. */
export async function whenEngineGone({ log }: RunningWorker): Promise<void> {
  const url = log.find(({ engineUrl }) => engineUrl !== undefined)!["engineUrl"];
  const answers = () =>
    fetch(`${url}/queue`).then(
      () => true,
      () => false,
    );
  await expect.poll(answers, { timeout: 5_000 }).toBe(false);
}
