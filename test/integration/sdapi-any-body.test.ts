/** Whatever is posted to A1111's routes is answered in A1111's way, and the endpoint goes on. */
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import type { RunningEndpoint } from "../support/endpoint.ts";
import { NASTY_BODIES, NASTY_DOCUMENTS } from "../support/nasty-bodies.ts";
import { quickTxt2Img } from "../support/payloads.ts";
import { sharedEndpoint } from "../support/sdapi.ts";

const RUNS = 60;
const PATIENCE_MS = 20_000;

let endpoint: RunningEndpoint;
beforeAll(() =>
  // No delay of the emulator's: many of these are pictures.
  sharedEndpoint(
    async (running) => {
      endpoint = running;
      await endpoint.ready();
    },
    { COMFYUI_ARGS: "" },
  ),
);

const isList = (value: unknown) => Array.isArray(value) && value.length > 0;

/** FastAPI's list of fields at fault, A1111's four keys, or FastAPI's own word. */
function isErrorOfA1111(body: Record<string, unknown>): boolean {
  const keys = Object.keys(body).sort().join();
  if (keys === "body,detail,error,errors")
    return typeof body["error"] === "string" && typeof body["detail"] === "string";
  return keys === "detail" && (isList(body["detail"]) || typeof body["detail"] === "string");
}

async function check(route: string, document: string): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const response = await endpoint.post(`/sdapi/v1/${route}`, document, { signal });
  const answer = await response.text();
  const what = `${document.slice(0, 300)}: ${response.status} ${answer.slice(0, 300)}`;
  if (response.status === 200) return void JSON.parse(answer);
  expect(response.status, what).toBeGreaterThanOrEqual(400);
  // 501 is a route that is not there at all.
  if (response.status !== 501) expect(response.status, what).toBeLessThan(500);
  expect(isErrorOfA1111(JSON.parse(answer) as Record<string, unknown>), what).toBe(true);
}

async function checkServes(): Promise<void> {
  const response = await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img());
  expect(response.status).toBe(200);
}

/** So that pictures stay small and few, where these are not at fault themselves. */
const small = (body: Record<string, unknown>) => ({ width: 64, height: 64, steps: 1, ...limited(body) });
const limited = (body: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(body).filter(([name, value]) => !isTooMuch(name, value)));
const isTooMuch = (name: string, value: unknown) =>
  (typeof value === "number" || typeof value === "string") && (TOO_MUCH[name]?.(Number(value)) ?? false);
const TOO_MUCH: Record<string, (value: number) => boolean> = {
  ...Object.fromEntries(["width", "height", "hr_resize_x", "hr_resize_y"].map((name) => [name, (it) => it > 256])),
  ...Object.fromEntries(["upscaling_resize_w", "upscaling_resize_h"].map((name) => [name, (it) => it > 256])),
  ...Object.fromEntries(["batch_size", "n_iter", "upscaling_resize", "hr_scale"].map((name) => [name, (it) => it > 2])),
  ...Object.fromEntries(["steps", "hr_second_pass_steps"].map((name) => [name, (it) => it > 20])),
};

test.each(Object.entries(NASTY_BODIES))("bodies for %s", { timeout: 120_000 }, async (route, bodies) => {
  const sent = route.endsWith("2img") ? bodies.map(small) : bodies.map(limited);
  await fc.assert(
    fc.asyncProperty(sent, (body) => check(route, JSON.stringify(body))),
    { numRuns: RUNS },
  );
  await checkServes();
});

test.each(Object.keys(NASTY_BODIES))("documents for %s", { timeout: 60_000 }, async (route) => {
  // An empty object asks for a whole picture.
  const documents = NASTY_DOCUMENTS.filter((document) => !(route === "txt2img" && /^\s*(\[\]|\{\})$/.test(document)));
  for (const document of documents) await check(route, document);
  await checkServes();
});
