/** As many steps as A1111 would run, counted by what the engine tells of each. */
import { beforeAll, expect, test } from "vitest";
import { parseImg2Img } from "../../../handler/request/sdapi/img2img.ts";
import type { Engines } from "../../../runtime/engines.ts";
import recorded from "../../fixtures/sdapi/steps.json" with { type: "json" };
import { sharedEngines } from "../../support/engines.ts";
import { standInPicture } from "../../support/stand-in-pictures.ts";

let engines: Engines;
beforeAll(() =>
  sharedEngines((running) => {
    engines = running;
  }),
);

interface Recorded {
  route: string;
  sampler: string;
  scheduler: string | null;
  request: Record<string, unknown>;
  /** Of each call of the network. */
  t: number[];
}

/** These call the network once a step. */
const FIRST_ORDER = ["Euler", "Euler a", "DPM++ 2M", "LMS", "DDIM"];
const cases = (recorded.model_calls as Recorded[]).filter(
  ({ route, sampler }) => route === "img2img" && FIRST_ORDER.includes(sampler),
);
const PICTURE = (await standInPicture("@img64x64")) as string;
const { signal } = new AbortController();

/** What the sampler tells: each step, and of how many. */
async function stepsOf(body: object): Promise<[step: number, of: number][]> {
  const catalogue = await engines.catalogue(signal);
  const built = await parseImg2Img(body).build({ catalogue, models: engines.models, isFresh: true });
  const turn = await engines.turn(built.graph, signal);
  const release = await turn.engine.holdInputs(built.inputs ?? [], signal);
  const samplers = Object.entries(built.graph).filter(([, { class_type }]) => class_type === "SamplerCustomAdvanced");
  const steps: [number, number][] = [];
  await turn.engine.run(built.graph, {
    signal,
    onProgress: ({ nodeId, value, max }) => {
      if (samplers.some(([id]) => id === nodeId) && value > 0) steps.push([value, max]);
    },
  });
  turn.end();
  await release();
  return steps;
}

test("there are cases of each sampler and of many strengths", () => {
  expect(new Set(cases.map(({ sampler }) => sampler))).toEqual(new Set(FIRST_ORDER));
  expect(new Set(cases.map(({ request }) => request["denoising_strength"])).size).toBeGreaterThan(5);
});

// A seed for each: what was drawn before is not drawn again.
const titled = cases.map((it, seed) => [JSON.stringify([it.sampler, it.scheduler, it.request]), it, seed] as const);

test.each(titled)("img2img with %s", async (_, { sampler: sampler_name, scheduler, request, t }, seed) => {
  const body = { prompt: "a fox", seed, width: 64, height: 64, steps: 10, init_images: [PICTURE] };
  const steps = await stepsOf({ ...body, ...request, sampler_name, scheduler });
  // Quick steps may be told of together.
  expect(steps.at(-1) ?? [0, 0]).toEqual([t.length, t.length]);
  expect(steps.filter(([, of]) => of !== t.length)).toEqual([]);
});
