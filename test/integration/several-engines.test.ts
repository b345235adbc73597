/** One worker with an engine for each of two GPUs: who gets which prompt, and what the death of one means. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { type RunningEndpoint, startEndpoint } from "../support/endpoint.ts";
import { quickTxt2Img, slowTxt2Img } from "../support/payloads.ts";
import { scrape } from "../support/scrape.ts";

const CHECKPOINTS = ["tiny-sd15.safetensors", "tiny-sd15-inpaint.safetensors"] as const;
const of = (checkpoint: string, overrides: object = {}) =>
  quickTxt2Img({ override_settings: { sd_model_checkpoint: checkpoint }, ...overrides });

/** An endpoint with two engines that both serve, and their process ids. */
async function startTwo(settings: Record<string, string> = {}) {
  const endpoint = await startEndpoint({ COMFYUI_GPUS: "0,1", ...settings });
  await allReady(endpoint);
  const pids = endpoint.log.filter(({ message }) => message.startsWith("starting the engine"));
  return { endpoint, pids: pids.map(({ enginePid }) => enginePid as number) };
}

const allReady = (endpoint: RunningEndpoint) =>
  expect
    .poll(async () => (await statesOf(endpoint)).filter((state) => state === "ready").length, { timeout: 20_000 })
    .toBe(2);

async function statesOf(endpoint: RunningEndpoint): Promise<string[]> {
  const response = await fetch(`${endpoint.url}/health`);
  return ((await response.json()) as { engines: string[] }).engines;
}

const draw = async (endpoint: RunningEndpoint, body: object) => {
  const response = await endpoint.post("/sdapi/v1/txt2img", body);
  return { status: response.status, body: (await response.json()) as { error?: string } };
};

/** Addresses of the engines that ran the prompts, in order. */
const enginesUsed = ({ log }: RunningEndpoint) =>
  log.filter(({ message }) => message === "prompt queued").map(({ engineUrl }) => engineUrl);

test("two prompts run at the same time, each on an engine that sees its own GPU", async () => {
  const { endpoint, pids } = await startTwo();
  const [first, second] = await Promise.all([
    draw(endpoint, slowTxt2Img({ steps: 60 })),
    draw(endpoint, slowTxt2Img({ steps: 60, seed: 6 })),
  ]);
  expect([first.status, second.status]).toEqual([200, 200]);
  expect(new Set(enginesUsed(endpoint)).size).toBe(2);
  const lines = endpoint.log.map(({ message }) => message);
  expect(lines.indexOf("prompt queued")).toBeLessThan(lines.lastIndexOf("prompt queued"));
  expect(lines.lastIndexOf("prompt queued"), "before the first is finished").toBeLessThan(
    lines.indexOf("invocation finished"),
  );
  const seen = await Promise.all(
    pids.map(async (pid) => (await readFile(`/proc/${pid}/environ`, "utf8")).match(/CUDA_VISIBLE_DEVICES=(\d)/)?.[1]),
  );
  expect(seen).toEqual(["0", "1"]);
});

test("a prompt goes to the engine that has its checkpoint loaded", async () => {
  const { endpoint } = await startTwo();
  for (const checkpoint of CHECKPOINTS) expect((await draw(endpoint, of(checkpoint))).status).toBe(200);
  const [one, two] = enginesUsed(endpoint);
  expect(one).not.toBe(two);
  const again = [CHECKPOINTS[1], CHECKPOINTS[1], CHECKPOINTS[0], CHECKPOINTS[1], CHECKPOINTS[0]];
  for (const checkpoint of again) expect((await draw(endpoint, of(checkpoint))).status).toBe(200);
  const expected = again.map((checkpoint) => (checkpoint === CHECKPOINTS[0] ? one : two));
  expect(enginesUsed(endpoint).slice(2)).toEqual(expected);
});

test("an engine that dies takes only its own prompt with it; the worker stays ready, and has both again", async () => {
  const { endpoint, pids } = await startTwo();
  const running = [0, 1].map((seed) => draw(endpoint, slowTxt2Img({ steps: 100, seed })));
  await expect.poll(() => enginesUsed(endpoint).length).toBe(2);
  process.kill(pids[0]!, "SIGKILL");
  await expect.poll(async () => (await statesOf(endpoint)).includes("busy")).toBe(true);
  expect((await fetch(`${endpoint.url}/ready`)).status).toBe(200);
  const outcomes = await Promise.all(running);
  expect(outcomes.map(({ status }) => status).sort()).toEqual([200, 502]);
  expect(outcomes.find(({ status }) => status === 502)!.body.error).toBe("comfyui_exited");
  expect((await draw(endpoint, quickTxt2Img())).status).toBe(200);
  await allReady(endpoint);
});

test("an engine that is beyond repair leaves the work to the other; when both are, the worker exits with 1", async () => {
  const { endpoint } = await startTwo({ COMFYUI_MAX_RESTARTS: "0" });
  const pidOf = (index: number) =>
    endpoint.log.findLast(({ engineIndex, enginePid }) => engineIndex === index && enginePid !== undefined)![
      "enginePid"
    ] as number;
  process.kill(pidOf(0), "SIGKILL");
  await expect.poll(async () => (await statesOf(endpoint))[0]).toBe("defunct");
  for (const seed of [1, 2]) expect((await draw(endpoint, quickTxt2Img({ seed }))).status).toBe(200);
  process.kill(pidOf(1), "SIGKILL");
  expect(await endpoint.exited).toBe(1);
});

test("metrics and readiness tell the engine that died from the one that serves", async () => {
  const { endpoint, pids } = await startTwo({ COMFYUI_MAX_RESTARTS: "1", METRICS: "true" });
  const ofEngine = async (engine: number) => {
    const series = Object.entries(await scrape(endpoint.url));
    const values = series.filter(([name]) => name.includes(`engine="${engine}"`));
    return Object.fromEntries(
      values.map(([name, value]) => [name.replace(`engine="${engine}"`, "").replace("{,", "{"), value]),
    );
  };
  const dead = pids[0]!;
  expect((await draw(endpoint, quickTxt2Img())).status).toBe(200);
  const coldStart = await ofEngine(0);
  expect(coldStart).toMatchObject({ 'comfyui_state{state="ready"}': 1, "comfyui_restarts_total{}": 0 });
  for (const phase of ["starting", "warming"])
    expect(coldStart[`comfy_endpoint_cold_start_seconds{phase="${phase}"}`]).toBeGreaterThan(0);

  process.kill(dead, "SIGKILL");
  await expect.poll(async () => (await ofEngine(0))["comfyui_restarts_total{}"]).toBe(1);
  await allReady(endpoint);
  const reborn = endpoint.log.findLast(({ engineIndex, to }) => engineIndex === 0 && to === "warming")!["enginePid"];
  process.kill(reborn as number, "SIGKILL");
  await expect.poll(async () => (await ofEngine(0))['comfyui_state{state="defunct"}']).toBe(1);

  expect((await fetch(`${endpoint.url}/ready`)).status, "one of two serves").toBe(200);
  expect(await statesOf(endpoint)).toEqual(["defunct", "ready"]);
  expect((await draw(endpoint, quickTxt2Img({ seed: 8 }))).status).toBe(200);
  expect(await ofEngine(0)).toMatchObject({ 'comfyui_state{state="ready"}': 0, "comfyui_restarts_total{}": 1 });
  expect(await ofEngine(1)).toMatchObject({ 'comfyui_state{state="ready"}': 1, "comfyui_restarts_total{}": 0 });
  const prompts = await Promise.all([0, 1].map(async (engine) => (await ofEngine(engine))["comfyui_prompts_total{}"]!));
  expect(prompts[0]! + prompts[1]!).toBe(2);
});

test("inputs that two prompts share stay until both are done", async () => {
  const { endpoint } = await startTwo();
  const [picture] = (
    JSON.parse(await (await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img())).text()) as { images: string[] }
  ).images;
  const change = (overrides: object) =>
    endpoint.post("/sdapi/v1/img2img", {
      ...quickTxt2Img(),
      init_images: [picture],
      denoising_strength: 1,
      ...overrides,
    });
  const answers = await Promise.all([
    change({ steps: 2 }),
    change({ steps: 80, seed: 9 }),
    change({ steps: 3, seed: 8 }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
});

test("several addresses share the work", async () => {
  const owners = await Promise.all([startEndpoint(), startEndpoint()]);
  const urls = await Promise.all(
    owners.map(async (owner) => {
      await owner.ready();
      return String((await owner.logged(({ engineUrl }) => engineUrl !== undefined))["engineUrl"]);
    }),
  );
  const endpoint = await startEndpoint({
    ENGINE: "",
    COMFYUI_ARGS: "",
    COMFYUI_COMMAND: "",
    COMFYUI_URL: urls.join(", "),
  });
  await allReady(endpoint);
  const both = await Promise.all([0, 1].map((seed) => draw(endpoint, slowTxt2Img({ steps: 40, seed }))));
  expect(both.map(({ status }) => status)).toEqual([200, 200]);
  expect(new Set(enginesUsed(endpoint))).toEqual(new Set(urls));
});
