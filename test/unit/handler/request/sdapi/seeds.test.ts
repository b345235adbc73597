import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { parseImg2Img } from "../../../../../handler/request/sdapi/img2img.ts";
import type { SdapiSettings } from "../../../../../handler/request/sdapi/settings.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import recorded from "../../../../fixtures/sdapi/rng.json" with { type: "json" };
import { loadInventory } from "../../../../support/catalogue.ts";
import { completed, output } from "../../../../support/completed.ts";

const raster = { create: { width: 64, height: 64, channels: 3 as const, background: "#446688" } };
const picture = (await sharp(raster).png().toBuffer()).toString("base64");
const engines = { own: await loadInventory(undefined, "own"), core: await loadInventory() };

const ask = (body: object, nodes: keyof typeof engines, worker: Partial<SdapiSettings> = {}) =>
  parseImg2Img({ init_images: [picture], width: 64, height: 64, seed: 5, steps: 4, ...body }, worker).build(
    engines[nodes],
  );

async function drawnBy(body: object, nodes: keyof typeof engines = "own", worker: Partial<SdapiSettings> = {}) {
  const { graph, encode } = await ask(body, nodes, worker);
  const answer = encode(completed([output()])) as { info: string; warnings?: string[] };
  const info = JSON.parse(answer.info) as { extra_generation_params: object; infotexts: string[] };
  const noises = Object.values(graph).filter(({ class_type }) => class_type === "ComfyEndpointNoise");
  return { graph, info, warnings: answer.warnings ?? [], noises: noises.map(({ inputs }) => inputs) };
}

describe("A1111's seeds", () => {
  const told = async (request: object) => {
    const { encode, graph } = await parseTxt2Img(request).build(engines.own);
    const pictures = Object.values(graph).filter(({ class_type }) => class_type === "SaveImage");
    const { info } = encode(completed(pictures.map(() => output()))) as { info: string };
    return JSON.parse(info) as Record<string, unknown>;
  };

  test.each(recorded.seed_lists)("$request", async ({ request, status: _, ...seeds }) => {
    expect(await told({ ...request, steps: 4 })).toMatchObject(seeds);
  });

  test.each(recorded.get_fixed_seed as [unknown, number][])("%j is %d", async (seed, used) => {
    expect(await told({ seed, steps: 4 })).toMatchObject({ seed: used, all_seeds: [used] });
  });
});

test.each([
  ["Euler", {}],
  ["DDIM", {}],
  ["Euler", { initial_noise_multiplier: 1.2 }],
])("%s %j: img2img_extra_noise is laid on a picture beside the noise of its level", async (sampler_name, body) => {
  const multipliersOf = async (override_settings: object) => {
    const { noises, info, graph } = await drawnBy({ sampler_name, ...body, override_settings });
    const sampler = Object.values(graph).find(({ class_type }) => class_type === "ComfyEndpointSampler")!.inputs;
    const levels = Object.values(graph).find(({ class_type }) => class_type === "ComfyEndpointSigmas")!.inputs[
      "sigmas"
    ];
    const level = Number(sampler["noised_at"]) || Number.parseFloat(String(levels));
    return { added: Number(noises[0]!["multiplier"]) * level, text: info.infotexts[0]! };
  };
  const [plain, more] = [await multipliersOf({}), await multipliersOf({ img2img_extra_noise: 0.1 })];
  const { initial_noise_multiplier: factor = 1 } = body as { initial_noise_multiplier?: number };
  expect(more.added - plain.added).toBeCloseTo(0.1 * factor, 5);
  expect([plain.text.includes("Extra noise"), more.text.includes("Extra noise: 0.1")]).toEqual([false, true]);
});

describe("initial_noise_multiplier", () => {
  const option = (value: number) => ({ override_settings: { initial_noise_multiplier: value } });

  test.each<[body: object, used: number]>([
    [{}, 1],
    [option(1.1), 1.1],
    [{ initial_noise_multiplier: 0.9 }, 0.9],
    [{ initial_noise_multiplier: 1, ...option(1.1) }, 1],
    [{ initial_noise_multiplier: 0, ...option(1.1) }, 0],
  ])("%j: the noise is multiplied, and told of where it is", async (body, used) => {
    const { noises, info } = await drawnBy(body);
    expect(noises.map(({ multiplier }) => multiplier)).toEqual([used]);
    const told = used === 1 ? {} : { "Noise multiplier": used };
    expect(info.extra_generation_params).toEqual({ "Denoising strength": 0.75, ...told });
  });

  test("is img2img's alone", async () => {
    const { graph } = await parseTxt2Img(option(1.1)).build(engines.own);
    const noise = Object.values(graph).find(({ class_type }) => class_type === "ComfyEndpointNoise");
    expect(noise?.inputs["multiplier"]).toBe(1);
  });

  const IMPOSSIBLE: [field: string, body: object][] = [
    ["initial_noise_multiplier", { initial_noise_multiplier: 1.1 }],
    ["override_settings.initial_noise_multiplier", option(1.1)],
  ];

  test.each(IMPOSSIBLE)("%s is refused by name on an engine without our own nodes", async (field, body) => {
    await expect(ask(body, "core")).rejects.toMatchObject({ code: "unsupported_feature", details: { field } });
  });

  test.each(IMPOSSIBLE)("%s is left aside there in lenient mode, with a warning", async (field, body) => {
    const { graph, warnings, info } = await drawnBy(body, "core", { isLenient: true });
    expect(graph).toEqual((await ask({}, "core")).graph);
    expect(warnings).toEqual([expect.stringContaining(`${field}: `)]);
    expect(info.extra_generation_params).not.toHaveProperty("Noise multiplier");
  });

  test("as an option of the worker it is left aside there in either mode", async () => {
    const worker = { options: { initial_noise_multiplier: 1.1 } };
    const { graph, warnings } = await drawnBy({}, "core", worker);
    expect(graph).toEqual((await ask({}, "core")).graph);
    expect(warnings).toEqual([expect.stringContaining("initial_noise_multiplier, set on this worker")]);
    expect((await drawnBy({}, "own", worker)).noises[0]).toMatchObject({ multiplier: 1.1 });
  });
});

describe("variations of img2img", () => {
  test("are those of the subseed", async () => {
    const { noises, info } = await drawnBy({ subseed: 7, subseed_strength: 0.3 });
    expect(noises).toMatchObject([{ seeds: "5", subseeds: "7", subseed_strength: 0.3 }]);
    expect(info.infotexts[0]).toContain("Variation seed: 7, Variation seed strength: 0.3, ");
  });

  test("the noise under a mask is that of the seed alone", async () => {
    const body = { mask: picture, inpainting_fill: 2, subseed: 7, subseed_strength: 0.3, initial_noise_multiplier: 2 };
    const { noises } = await drawnBy(body);
    expect(noises).toMatchObject([
      { seeds: "5", subseeds: "", multiplier: 1 },
      { seeds: "5", subseeds: "7", multiplier: 2 },
    ]);
  });

  test("left aside in lenient mode, they are not told as if they were there", async () => {
    const body = { subseed: 7, subseed_strength: 0.3, seed_resize_from_w: 64, seed_resize_from_h: 64 };
    const { info, warnings } = await drawnBy(body, "core", { isLenient: true });
    expect(info).toMatchObject({ subseed_strength: 0, seed_resize_from_w: -1, seed_resize_from_h: -1 });
    expect(info.infotexts[0]).not.toMatch(/Variation|Seed resize/);
    expect(warnings).toHaveLength(2);
  });
});
