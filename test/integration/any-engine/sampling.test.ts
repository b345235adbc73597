/** A1111's seeds and variations: what must be the same picture is, to the last pixel. */
import { beforeAll, describe, expect, test } from "vitest";
import { type RunningEndpoint, startEndpoint } from "../../support/endpoint.ts";
import { quickTxt2Img } from "../../support/payloads.ts";
import { decode } from "../../support/pictures.ts";
import { standInPicture } from "../../support/stand-in-pictures.ts";

let endpoint: RunningEndpoint;
beforeAll(async () => {
  const stops: (() => Promise<void>)[] = [];
  endpoint = await startEndpoint({}, (stop) => stops.push(stop));
  return async () => {
    for (const stop of stops) await stop();
  };
});

async function draw(overrides: object) {
  const route = "init_images" in overrides ? "img2img" : "txt2img";
  const response = await endpoint.post(`/sdapi/v1/${route}`, quickTxt2Img({ ...overrides }));
  const answer = (await response.json()) as { images: string[]; info: string };
  expect(response.status, JSON.stringify(answer)).toBe(200);
  const pictures = await Promise.all(
    answer.images.map(async (data) => (await decode(Buffer.from(data, "base64"))).data),
  );
  return { pictures, info: JSON.parse(answer.info) as { all_seeds: number[]; all_subseeds: number[] } };
}

const drawOne = async (overrides: object) => (await draw(overrides)).pictures[0]!;

const PICTURE = (await standInPicture("@img64x64")) as string;

/** One of each kind of noise on the way: none, of the picture's own generator, Brownian, and that of a timestep sampler. */
const SAMPLERS = ["Euler", "Euler a", "DPM++ 2M SDE", "DDIM"];

describe.each(SAMPLERS)("%s", (sampler_name) => {
  test("each picture of a batch is the one of its seed alone", async () => {
    const { pictures, info } = await draw({ sampler_name, seed: 20, batch_size: 2 });
    expect(info.all_seeds).toEqual([20, 21]);
    for (const [index, seed] of info.all_seeds.entries())
      expect(pictures[index]!.equals(await drawOne({ sampler_name, seed }))).toBe(true);
    expect(pictures[0]!.equals(pictures[1]!)).toBe(false);
  });

  test("of img2img too", async () => {
    const start = { sampler_name, steps: 5, init_images: [PICTURE], denoising_strength: 0.75 };
    const { pictures, info } = await draw({ ...start, seed: 20, n_iter: 2 });
    for (const [index, seed] of info.all_seeds.entries())
      expect(pictures[index]!.equals(await drawOne({ ...start, seed }))).toBe(true);
    expect(pictures[0]!.equals(pictures[1]!)).toBe(false);
  });

  test("a batch in one latent has the seeds of single pictures", async () => {
    const options = { override_settings: { batch_latents: true } };
    const { pictures, info } = await draw({ sampler_name, seed: 20, batch_size: 2, ...options });
    expect(info.all_seeds).toEqual([20, 21]);
    for (const [index, seed] of info.all_seeds.entries()) {
      const single = await drawOne({ sampler_name, seed });
      // A network sums up a batch in another order.
      const farthest = pictures[index]!.reduce(
        (most, value, place) => Math.max(most, Math.abs(value - single[place]!)),
        0,
      );
      expect(farthest).toBeLessThanOrEqual(2);
    }
  });
});

describe("variations", () => {
  const seed = 20;

  test("of no strength are the picture of the seed, of full strength that of the subseed", async () => {
    const [own, other] = [await drawOne({ seed }), await drawOne({ seed: 31 })];
    expect((await drawOne({ seed, subseed: 31, subseed_strength: 0 })).equals(own)).toBe(true);
    expect((await drawOne({ seed, subseed: 31, subseed_strength: 1 })).equals(other)).toBe(true);
    const between = await drawOne({ seed, subseed: 31, subseed_strength: 0.5 });
    expect(between.equals(own) || between.equals(other)).toBe(false);
  });

  test("count up the subseeds and leave the seed", async () => {
    const { pictures, info } = await draw({ seed, subseed: 31, subseed_strength: 0.5, n_iter: 2 });
    expect([info.all_seeds, info.all_subseeds]).toEqual([
      [20, 20],
      [31, 32],
    ]);
    expect(pictures[1]!.equals(await drawOne({ seed, subseed: 32, subseed_strength: 0.5 }))).toBe(true);
  });
});

test("the source of noise, its later seed and churn change the picture", async () => {
  const base = { sampler_name: "Euler a", seed: 20 };
  const pictures = [
    await drawOne(base),
    await drawOne({ ...base, override_settings: { randn_source: "CPU" } }),
    await drawOne({ ...base, override_settings: { eta_noise_seed_delta: 1 } }),
    await drawOne({ ...base, sampler_name: "Euler" }),
    await drawOne({ ...base, sampler_name: "Euler", s_churn: 10 }),
  ];
  expect(new Set(pictures.map((data) => data.toString("base64"))).size).toBe(pictures.length);
  expect(pictures[4]!.equals(await drawOne({ ...base, sampler_name: "Euler", s_churn: 10 }))).toBe(true);
});

test("img2img's noise is multiplied, by the field or the option", async () => {
  const start = { init_images: [PICTURE], seed: 20 };
  const [plain, once, louder, byOption] = [
    await drawOne(start),
    await drawOne({ ...start, initial_noise_multiplier: 1 }),
    await drawOne({ ...start, initial_noise_multiplier: 1.3 }),
    await drawOne({ ...start, override_settings: { initial_noise_multiplier: 1.3 } }),
  ];
  expect(once.equals(plain)).toBe(true);
  expect(louder.equals(plain)).toBe(false);
  expect(byOption.equals(louder)).toBe(true);
});
