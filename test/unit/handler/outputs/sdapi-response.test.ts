import { describe, expect, test } from "vitest";
import { answerSdapi } from "../../../../handler/outputs/sdapi-response.ts";
import { parseSdapi, TXT2IMG } from "../../../../handler/request/sdapi/parse.ts";
import { parseTxt2Img } from "../../../../handler/request/sdapi/txt2img.ts";
import manifest from "../../../../package.json" with { type: "json" };
import { resolveSampler } from "../../../../workflows/sampler-names.ts";
import recordedInfotexts from "../../../fixtures/sdapi/infotext.json" with { type: "json" };
import recordedQuotes from "../../../fixtures/sdapi/infotext-quote.json" with { type: "json" };
import recordedFields from "../../../fixtures/sdapi/request-fields.json" with { type: "json" };
import recordedValues from "../../../fixtures/sdapi/txt2img-values.json" with { type: "json" };
import { loadInventory } from "../../../support/catalogue.ts";
import { completed, output } from "../../../support/completed.ts";
import { thrownBy } from "../../../support/thrown.ts";

interface Answer {
  images: string[];
  parameters: Record<string, unknown>;
  info: string;
  outputs?: object[];
}

async function answerTo(
  body: object,
  outputs = [output()],
  checkpoint = "sub/model.v2.safetensors",
  nodes: "own" | "core" = "own",
): Promise<Answer> {
  const { encode } = await parseTxt2Img(body).build(await loadInventory([checkpoint], nodes));
  // The wire form is what counts: 64-bit seeds are numbers there.
  return JSON.parse(JSON.stringify(encode(completed(outputs)))) as Answer;
}

const infoOf = async (...given: Parameters<typeof answerTo>) =>
  JSON.parse((await answerTo(...given)).info) as Record<string, unknown> & { infotexts: string[] };

/** Of A1111 v1.10.1, in its order. */
const INFO_KEYS =
  "prompt all_prompts negative_prompt all_negative_prompts seed all_seeds subseed all_subseeds subseed_strength width height sampler_name cfg_scale steps batch_size restore_faces face_restoration_model sd_model_name sd_model_hash sd_vae_name sd_vae_hash seed_resize_from_w seed_resize_from_h denoising_strength extra_generation_params index_of_first_image infotexts styles job_timestamp clip_skip is_using_inpainting_conditioning version";

describe("the three keys of A1111", () => {
  test("images are bare base64 in order, and there is nothing else", async () => {
    const outputs = ["one", "two"].map((text) => output({ bytes: Buffer.from(text) }));
    const answer = await answerTo({ batch_size: 2 }, outputs);
    expect(answer.images).toEqual(["one", "two"].map((text) => Buffer.from(text).toString("base64")));
    expect(Object.keys(answer)).toEqual(["images", "parameters", "info"]);
  });

  test("parameters echo every field in order, as sent or by default", async () => {
    const { parameters } = await answerTo({ prompt: "a fox", steps: "20", styles: [""], hr_scale: "1.0", unknown: 1 });
    expect(Object.keys(parameters)).toEqual(recordedFields.txt2img.map(({ field }) => field));
    expect(parameters).toMatchObject({ prompt: "a fox", steps: 20, seed: -1, cfg_scale: 7, scheduler: null });
  });

  test("info is JSON in a string, with A1111's keys", async () => {
    const info = await infoOf({ prompt: "a fox", seed: 5 });
    expect(Object.keys(info).sort()).toEqual(INFO_KEYS.split(" ").sort());
    expect(info).toMatchObject({ sd_model_name: "model.v2", sampler_name: "Euler", job_timestamp: expect.any(String) });
    expect(info["job_timestamp"]).toMatch(/^\d{14}$/);
  });
});

test("send_images false leaves the pictures out", async () => {
  expect((await answerTo({ send_images: false })).images).toEqual([]);
});

test("with a bucket, outputs tell where the pictures lie", async () => {
  const location = { bucket: "pictures", key: "outputs/id-1/1/a.png", url: "https://link" };
  const answer = await answerTo({}, [output({ location })]);
  expect(answer.images).toHaveLength(1);
  expect(answer.outputs).toEqual([expect.objectContaining({ ...location, size_bytes: 6 })]);
});

test.each([0, 1, 3])("%d pictures where two were due are an error", async (count) => {
  const { encode } = await parseTxt2Img({ batch_size: 2 }).build(await loadInventory(["m.ckpt"]));
  const outputs = Array.from({ length: count }, () => output());
  expect(thrownBy(() => encode(completed(outputs)))).toMatchObject({
    code: "no_outputs",
    message: `2 pictures were due and ${count} came`,
  });
});

describe("seeds", () => {
  test("info holds one per picture, parameters the one that was asked for", async () => {
    const answer = await answerTo({ n_iter: 3, seed: -1 }, [output(), output(), output()]);
    const { seed, all_seeds } = JSON.parse(answer.info) as { seed: number; all_seeds: number[] };
    expect(answer.parameters["seed"]).toBe(-1);
    expect(all_seeds).toEqual([seed, seed + 1, seed + 2]);
  });

  test("of 64 bits keep their digits", async () => {
    const { encode } = await parseTxt2Img({ seed: "18446744073709551615" }).build(await loadInventory(["m.ckpt"]));
    const { info, parameters } = encode(completed([output()])) as Answer;
    expect(info).toContain('"all_seeds":[18446744073709551615]');
    expect(info).toContain("Seed: 18446744073709551615,");
    expect(JSON.stringify(parameters)).toContain('"seed":18446744073709551615');
  });
});

describe("infotext", () => {
  test("has A1111's form", async () => {
    const body = { prompt: "a fox, red", negative_prompt: "blurry", seed: 42, steps: 20, cfg_scale: 7.5, width: 513 };
    const { infotexts } = await infoOf({ ...body, sampler_name: "DPM++ 2M" });
    expect(infotexts).toEqual([
      `a fox, red\nNegative prompt: blurry\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 42, Size: 513x512, Model: model.v2, Version: comfy-endpoint ${manifest.version}`,
    ]);
  });

  test("tells what noise an engine without our own nodes draws", async () => {
    const { infotexts } = await infoOf({ seed: 42, prompt: "a" }, undefined, undefined, "core");
    expect(infotexts[0]).toMatch(/, RNG: CPU, SGM noise multiplier: True, Version: /);
  });

  test("has one text per picture, with its own seed", async () => {
    const { infotexts } = await infoOf({ batch_size: 2, seed: 7 }, [output(), output()]);
    expect(infotexts.map((text) => /Seed: (\d+)/.exec(text)?.[1])).toEqual(["7", "8"]);
  });

  interface Generated {
    name: string;
    route: string;
    request: Record<string, unknown>;
    images: unknown[];
    info?: Record<string, unknown> & { infotexts: string[] };
    infotexts?: string[];
    extra_generation_params?: object;
    info_rest?: object;
  }

  /** What a plain picture depends on; the other requests are for the features that they ask for. */
  const PLAIN =
    "prompt negative_prompt steps seed subseed sampler_name sampler_index scheduler cfg_scale width height batch_size n_iter denoising_strength subseed_strength seed_resize_from_w seed_resize_from_h eta override_settings";
  const PLAIN_OPTIONS =
    "eta_noise_seed_delta randn_source sgm_noise_multiplier always_discard_next_to_last_sigma sigma_min sigma_max rho s_churn s_noise";
  const isPlain = ({ route, request }: Generated) =>
    route === "txt2img" &&
    Object.keys(request).every((field) => PLAIN.split(" ").includes(field)) &&
    Object.keys(request["override_settings"] ?? {}).every((option) => PLAIN_OPTIONS.split(" ").includes(option)) &&
    !/[#<]|\[.*[:|]/.test(`${request["prompt"]} ${request["negative_prompt"]}`);
  /** Refused by name where A1111 takes another sampler, and samplers that ComfyUI lacks. */
  const REFUSED = /unknown sampler|nonsense|PLMS|Restart/;
  /** Aliases and case are honoured where A1111 takes another sampler. */
  const NAMED_OTHERWISE = /lower case|alias/;
  const generated = (recordedInfotexts.create as unknown as Generated[]).filter(
    (it) => isPlain(it) && !REFUSED.test(it.name) && !NAMED_OTHERWISE.test(it.name),
  );
  /** The model and the backend are the installation's. */
  const withoutInstallation = (infotext: string) => infotext.replace(/, (Model hash|Model|Version): [^,]+/g, "");

  test.each(generated)("and is A1111's, with all of info, for: $name", async (recorded) => {
    const {
      infotexts,
      extra_generation_params: extra,
      ...info
    } = await infoOf(
      recorded.request,
      recorded.images.map(() => output()),
    );
    const expected = recorded.infotexts ?? recorded.info!.infotexts;
    expect(infotexts.map(withoutInstallation)).toEqual(expected.map(withoutInstallation));
    const { extra_generation_params, infotexts: _, ...whole } = (recorded.info ?? {}) as Record<string, unknown>;
    expect(extra).toEqual(recorded.extra_generation_params ?? extra_generation_params);
    const { sd_model_name, sd_model_hash, version, ...comparable } = whole;
    expect(info).toMatchObject({ ...comparable, ...recorded.info_rest });
  });

  test("with hires fix, a VAE and clip skip is A1111's too", async () => {
    const { encode } = answerSdapi({
      request: parseSdapi(TXT2IMG, { steps: 4 }, {}),
      common: {
        seeds: [42n],
        subseeds: [7n],
        noises: [],
        variation: { strength: 0, resizeFrom: { width: -1, height: -1 } },
        noiseMultiplier: 1,
        sampler: resolveSampler("DPM++ 2M", "Karras"),
        written: { positive: "a cat <lora:style:0.4>", negative: "" },
        prompts: { positive: "a cat", negative: "" },
        models: { checkpoint: "m.ckpt", vae: "my.vae.safetensors", loras: [], hypernetworks: [], clipSkip: 2 },
        tokenMerging: { first: 0, second: 0 },
        refiner: undefined,
      },
      hashes: { model: "0123456789", vae: "abcdef0123", networks: {} },
      width: 384,
      height: 256,
      denoisingStrength: 1,
      extraParameters: {
        "Denoising strength": 1,
        "Hires prompt": null,
        "Hires negative prompt": "low: res",
        "Hires upscale": 2,
        "Hires steps": 3,
        "Hires upscaler": "Latent",
      },
    });
    const answer = encode(completed([output()])) as { info: string };
    const { infotexts, ...info } = JSON.parse(answer.info) as Record<string, unknown> & { infotexts: string[] };
    expect(infotexts[0]?.split("RNG")).toEqual([
      "a cat <lora:style:0.4>\nSteps: 4, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.0, Seed: 42, Size: 384x256, Model hash: 0123456789, Model: m, VAE hash: abcdef0123, VAE: my.vae.safetensors, Denoising strength: 1.0, Clip skip: 2, ",
      `: CPU, Hires negative prompt: "low: res", Hires upscale: 2.0, Hires steps: 3, Hires upscaler: Latent, SGM noise multiplier: True, Version: comfy-endpoint ${manifest.version}`,
    ]);
    expect(info).toMatchObject({
      width: 384,
      clip_skip: 2,
      denoising_strength: 1,
      sd_model_hash: "0123456789",
      sd_vae_name: "my.vae.safetensors",
      sd_vae_hash: "abcdef0123",
      extra_generation_params: { "Hires prompt": null, "Hires upscale": 2, "Schedule type": "Karras" },
    });
  });

  interface Recorded {
    body: Record<string, unknown>;
    infotext?: string;
  }

  /** Up to what depends on the installation. */
  const comparable = (infotext: string) => infotext.split(/, Model/)[0];

  const BASE = { prompt: "x", steps: 1, width: 64, height: 64, seed: 1 };
  const isAlike = ({ body: { seed = 1, cfg_scale = 1, sampler_name, sampler_index, scheduler } }: Recorded) =>
    Number(seed) >= 0 &&
    Number(cfg_scale) >= 0 &&
    ![sampler_name, sampler_index, scheduler].some((it) => it === 5 || it === true);
  const cases = (recordedValues.cases as unknown as Recorded[]).filter((it) => it.infotext && isAlike(it));

  test.each(cases)("is what A1111 wrote for $body", async ({ body, infotext }) => {
    const pictures = Number(body["batch_size"] ?? 1);
    const { infotexts } = await infoOf(
      { ...BASE, ...body },
      Array.from({ length: pictures }, () => output()),
    );
    expect(comparable(infotexts[0]!)).toBe(comparable(infotext!));
  });

  const quotable = (recordedQuotes.quote as [string, string][]).filter(
    ([value]) => value !== "" && !value.includes("/"),
  );

  test.each(quotable)("writes the model %j as %s", async (name, quoted) => {
    const { infotexts } = await infoOf({ prompt: "x" }, [output()], `${name}.ckpt`);
    expect(infotexts[0]).toContain(`, Model: ${quoted}, Version: `);
  });
});
