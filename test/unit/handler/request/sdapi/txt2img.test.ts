import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TXT2IMG_FIELDS } from "../../../../../handler/request/sdapi/fields.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import type { Graph } from "../../../../../runtime/comfyui/graph.ts";
import { EndpointError } from "../../../../../runtime/errors.ts";
import { loadInventory } from "../../../../support/catalogue.ts";
import { bodiesFor } from "../../../../support/client-bodies.ts";
import { rejectionOf, thrownBy } from "../../../../support/thrown.ts";

const CHECKPOINTS = ["v1-5.safetensors", "sub/other.model.ckpt", "sdxl_base, 1.0.safetensors"];
const inventory = await loadInventory(CHECKPOINTS);

const graphOf = async (body: object) => (await parseTxt2Img(body).build(inventory)).graph;
const inputsOf = async (graph: Graph | Promise<Graph>, classType: string) =>
  Object.values(await graph)
    .filter(({ class_type }) => class_type === classType)
    .map(({ inputs }) => inputs);

test("A1111's API defaults", async () => {
  const graph = await graphOf({});
  expect(await inputsOf(graph, "KSampler")).toEqual([
    expect.objectContaining({ steps: 50, cfg: 7, sampler_name: "euler", scheduler: "normal", denoise: 1 }),
  ]);
  expect(await inputsOf(graph, "EmptyLatentImage")).toEqual([{ width: 512, height: 512, batch_size: 1 }]);
  expect((await inputsOf(graph, "CLIPTextEncode")).map(({ text }) => text)).toEqual([""]);
});

describe("sizes are cut to multiples of 8", () => {
  test.each([
    [512, 512],
    [519, 512],
    [16, 16],
    [63, 56],
  ])("%d gives %d", async (given, used) => {
    const [latent] = await inputsOf(graphOf({ width: given, height: given }), "EmptyLatentImage");
    expect(latent).toMatchObject({ width: used, height: used });
  });
});

describe("the sampler", () => {
  test.each<[object, string, string]>([
    [{ sampler_name: "DPM++ 2M Karras" }, "dpmpp_2m", "karras"],
    [{ sampler_name: "DPM++ 2M", scheduler: "simple" }, "dpmpp_2m", "simple"],
    [{ sampler_index: "Euler a" }, "euler_ancestral", "normal"],
    [{ sampler_name: "Heun", sampler_index: "Euler a" }, "heun", "normal"],
    [{ sampler_name: "", sampler_index: "Euler a" }, "euler_ancestral", "normal"],
    [{ sampler_name: "", sampler_index: "" }, "dpmpp_2m", "karras"],
  ])("%j", async (body, sampler_name, scheduler) => {
    expect((await inputsOf(graphOf(body), "KSampler"))[0]).toMatchObject({ sampler_name, scheduler });
  });

  test("the scale of CFG++ is divided", async () => {
    expect((await inputsOf(graphOf({ sampler_name: "DDIM CFG++", cfg_scale: 5 }), "KSampler"))[0]).toMatchObject({
      cfg: 0.4,
    });
  });
});

describe("seeds", () => {
  const seedsOf = async (body: object) =>
    (await inputsOf(graphOf(body), "KSampler")).map(({ seed }) => JSON.stringify(seed));

  test("picture k of all iterations has seed + k", async () => {
    expect(await seedsOf({ seed: 42, batch_size: 2, n_iter: 2 })).toEqual(["42", "43", "44", "45"]);
  });

  test("they wrap at 2^64", async () => {
    expect(await seedsOf({ seed: "18446744073709551615", batch_size: 2 })).toEqual(["18446744073709551615", "0"]);
  });

  test("below zero they are PyTorch's: the same 64 bits, unsigned", async () => {
    expect(await seedsOf({ seed: -2, batch_size: 3 })).toEqual(["18446744073709551614", "18446744073709551615", "0"]);
    expect(await seedsOf({ seed: "-9223372036854775808" })).toEqual(["9223372036854775808"]);
    expect(thrownBy(() => parseTxt2Img({ seed: "-9223372036854775809" })).code).toBe("invalid_request");
  });

  test.each([-1, null, undefined])("%j asks for a random one of 32 bits", async (seed) => {
    const seeds = await Promise.all(Array.from({ length: 20 }, () => seedsOf({ seed })));
    const drawn = seeds.map(([first]) => Number(first));
    expect(new Set(drawn).size).toBeGreaterThan(15);
    expect(Math.max(...drawn)).toBeLessThan(2 ** 32);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
  });
});

describe("the checkpoint", () => {
  const checkpointOf = async (name: unknown) =>
    (await inputsOf(graphOf({ override_settings: { sd_model_checkpoint: name } }), "CheckpointLoaderSimple"))[0]![
      "ckpt_name"
    ];

  test.each([
    [null, CHECKPOINTS[0]],
    ["", CHECKPOINTS[0]],
    ["v1-5.safetensors", CHECKPOINTS[0]],
    ["v1-5", CHECKPOINTS[0]],
    ["v1-5.safetensors [6ce0161689]", CHECKPOINTS[0]],
    ["sub/other.model.ckpt", CHECKPOINTS[1]],
    ["other.model.ckpt", CHECKPOINTS[1]],
    ["other.model", CHECKPOINTS[1]],
    ["sub_other.model", CHECKPOINTS[1]],
    ["sdxl_base, 1.0", CHECKPOINTS[2]],
  ])("%j is %s", async (name, file) => {
    expect(await checkpointOf(name)).toBe(file);
  });

  test.each([["nope"], ["V1-5.ckpt"], [5], [["v1-5"]], [{ toString: null }]])(
    "%j is refused with what there is",
    async (name) => {
      expect(await rejectionOf(checkpointOf(name))).toMatchObject({
        code: "unknown_model",
        details: { field: "override_settings.sd_model_checkpoint", available: CHECKPOINTS },
      });
    },
  );

  test("a worker without any says so", async () => {
    const empty = await loadInventory([]);
    expect((await rejectionOf(parseTxt2Img({}).build(empty))).message).toBe("this worker has no checkpoint");
  });
});

describe("what cannot be honoured is refused by name", () => {
  test.each<[field: string, value: unknown, others?: object]>([
    ["restore_faces", true],
    ["tiling", 1],
    ["s_min_uncond", 1],
    ["firstpass_image", "x", { enable_hr: true }],
    ["firstphase_width", 256],
  ])("%s: %j", async (field, value, others = {}) => {
    const error = thrownBy(() => parseTxt2Img({ prompt: "x", [field]: value, ...others }));
    expect(error).toMatchObject({ code: "unsupported_feature", details: { field } });
    expect(error.message).toMatch(new RegExp(`^${field}:`));
  });

  test("an option, also one that has a field's name", async () => {
    for (const option of ["eta", "steps", "constructor", "skip_early_cond", "no_such_option"]) {
      const error = thrownBy(() => parseTxt2Img({ eta: null, override_settings: { [option]: 0.3 } }));
      expect(error).toMatchObject({ code: "unsupported_feature", details: { field: `override_settings.${option}` } });
    }
  });

  test.each<[string, object, string]>([
    ["eta", { sampler_name: "DPM2 a", eta: 0.5 }, "eta"],
    ["s_noise", { sampler_name: "DPM fast", s_noise: 1.1 }, "s_noise"],
    ["s_churn", { s_churn: 1 }, "s_churn"],
    ["variations", { subseed_strength: 0.5 }, "subseed_strength"],
    ["noise of another size", { seed_resize_from_w: 64, seed_resize_from_h: 64 }, "seed_resize_from_w"],
    ["a weight below 0", { prompt: "a AND b :-1" }, "prompt"],
    ["a dynamic rank", { prompt: "<lora:tiny-lora:1:1:32>" }, "prompt"],
  ])("%s", async (_, body, field) => {
    const error = await rejectionOf(parseTxt2Img(body).build(inventory));
    expect(error).toMatchObject({ code: "unsupported_feature", details: { field } });
  });

  test.each<[object, string, string]>([
    [{ prompt: "<lora:x:abc>" }, "prompt", "no number"],
    [{ prompt: "<lora:tiny-lora:inf>" }, "prompt", "strength"],
    [{ prompt: "(a:1.2.3)" }, "prompt", "1.2.3"],
    [{ negative_prompt: `(a:${"9".repeat(400)})` }, "negative_prompt", "too large"],
    [{ prompt: "time 10:30" }, "prompt", "weight"],
    [{ prompt: "[a|b]", steps: 2000 }, "prompt", "2000"],
    [{ enable_hr: true, hr_prompt: "(a:1.2.3)" }, "hr_prompt", "1.2.3"],
    [{ enable_hr: true, hr_scale: 0.01 }, "hr_scale", "size"],
  ])("%j", async (body, field, text) => {
    const error = await rejectionOf(parseTxt2Img(body).build(inventory));
    expect(error).toMatchObject({ code: "invalid_request", details: { field } });
    expect(error.message).toContain(text);
  });
});

describe("unknown models are refused with what there is", () => {
  test.each<[object, string, string[]]>([
    [{ prompt: "<lora:nope>" }, "prompt", ["tiny-lora.safetensors"]],
    [{ prompt: "<hypernet:nope>" }, "prompt", []],
    [{ loras: [{ name: "nope" }] }, "loras", ["tiny-lora.safetensors"]],
    [{ prompt: "(embedding:nope:1.2)" }, "prompt", ["tiny-embedding"]],
    [{ override_settings: { sd_vae: "nope" } }, "override_settings.sd_vae", ["tiny-vae.safetensors"]],
    [{ refiner_checkpoint: "nope" }, "refiner_checkpoint", CHECKPOINTS],
    [{ enable_hr: true, hr_checkpoint_name: "nope" }, "hr_checkpoint_name", CHECKPOINTS],
    [{ enable_hr: true, hr_upscaler: "nope" }, "hr_upscaler", ["Latent", "tiny-2x"]],
  ])("%j", async (body, field, available) => {
    const error = await rejectionOf(parseTxt2Img(body).build(inventory));
    expect(error).toMatchObject({
      code: "unknown_model",
      details: { field, available: expect.arrayContaining(available) },
    });
    expect(error.message).toContain("nope");
  });
});

describe("old options of A1111", () => {
  test("times of a prompt", async () => {
    const body = { prompt: "[a:b:2.0]", steps: 10 };
    expect(await inputsOf(graphOf(body), "ConditioningSetTimestepRange")).toHaveLength(0);
    const old = await graphOf({ ...body, override_settings: { use_old_scheduling: true } });
    expect(await inputsOf(old, "ConditioningSetTimestepRange")).toHaveLength(2);
  });

  test("a size that is the last pass's", async () => {
    const override_settings = { use_old_hires_fix_width_height: "true" };
    const graph = await graphOf({ enable_hr: true, width: 1920, height: 1080, override_settings });
    expect(await inputsOf(graph, "EmptyLatentImage")).toMatchObject([{ width: 704, height: 384 }]);
    expect(await inputsOf(graph, "LatentCrop")).toMatchObject([{ width: 1920, height: 1080, x: 24, y: 0 }]);
  });
});

test("comments stay when they are switched off", async () => {
  const texts = (override_settings: object) =>
    inputsOf(graphOf({ prompt: "a # b", negative_prompt: "c", override_settings }), "CLIPTextEncode");
  expect((await texts({}))[0]).toMatchObject({ text: "a" });
  expect((await texts({ enable_prompt_comments: false }))[0]).toMatchObject({ text: "a # b" });
});

test("options that ask for nothing pass", async () => {
  const override_settings = {
    sd_vae: "Automatic",
    CLIP_stop_at_last_layers: 1,
    eta_noise_seed_delta: 0,
    randn_source: "GPU",
    emphasis: "Original",
    samples_format: "png",
    outdir_txt2img_samples: "x",
    jpeg_quality: 90,
    tiling: false,
  };
  expect(() => parseTxt2Img({ override_settings })).not.toThrow();
});

describe("bodies of known clients", () => {
  const bodies = bodiesFor("txt2img").filter(({ body }) => !("controlnet" in Object(body["alwayson_scripts"])));
  test.each(bodies.map(({ client, what, body }) => [`${client}: ${what}`, body] as const))("%s", async (_, body) => {
    const { batch_size = 1, n_iter = 1 } = body as { batch_size?: number; n_iter?: number };
    const graph = await graphOf(body);
    expect(await inputsOf(graph, "SaveImage")).toHaveLength(batch_size * n_iter);
  });
});

test("any body gives a graph or one of our errors", async () => {
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(true, 2, "[a|b] AND (c:1.1)", "Latent", "Euler a", 0.5));
  const names = [...Object.keys(TXT2IMG_FIELDS), "clip_skip", "loras"];
  const body = fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 8 });
  await fc.assert(
    fc.asyncProperty(body, async (given) => {
      // The number of steps is no matter here, and a graph of thousands takes its time.
      const limited = { ...given, steps: 4, batch_size: 1, n_iter: 1 };
      try {
        await graphOf(limited);
      } catch (error) {
        expect(error).toBeInstanceOf(EndpointError);
      }
    }),
  );
});

test("what known clients always send, and what asks for nothing, is accepted", async () => {
  const body = {
    prompt: "a fox < b > c",
    styles: [],
    subseed: -1,
    subseed_strength: 0,
    seed_resize_from_h: 0,
    seed_resize_from_w: -1,
    restore_faces: false,
    tiling: "false",
    do_not_save_grid: true,
    eta: 1,
    s_churn: 0,
    s_tmax: 0,
    s_tmin: 0,
    s_noise: 1,
    denoising_strength: 0.7,
    override_settings: {},
    override_settings_restore_afterwards: true,
    enable_hr: false,
    hr_scale: "1.0",
    hr_upscaler: "Latent",
    firstphase_width: 0,
    script_name: null,
    script_args: [],
    alwayson_scripts: {},
    send_images: true,
    save_images: true,
    use_deprecated_controlnet: false,
  };
  expect(() => parseTxt2Img(body)).not.toThrow();
  expect(() => parseTxt2Img({ ...body, styles: [""], restore_faces: 0, enable_hr: "off" })).not.toThrow();
});

test.each([
  [true, true],
  [false, false],
])("send_images %s: inline %s", async (send_images, isInline) => {
  expect(parseTxt2Img({ send_images }).delivery).toEqual({ isInline });
});

describe("the picture file", () => {
  test.each<[object, object]>([
    [{ samples_format: "png", enable_pnginfo: false }, { isInline: true }],
    [{ samples_format: "jpg" }, { isInline: true, convert: { format: "jpg", options: { quality: 80 } } }],
    [
      { samples_format: "jpeg", jpeg_quality: "55" },
      { isInline: true, convert: { format: "jpeg", options: { quality: 55 } } },
    ],
    [
      { samples_format: "webp", webp_lossless: true },
      { isInline: true, convert: { format: "webp", options: { quality: 80, lossless: true } } },
    ],
  ])("%j", async (override_settings, delivery) => {
    expect(parseTxt2Img({ override_settings }).delivery).toEqual(delivery);
  });

  test.each([
    ["samples_format", "gif", "Invalid image format"],
    ["jpeg_quality", 0, "greater than or equal to 1"],
    ["jpeg_quality", 101, "less than or equal to 100"],
    ["webp_lossless", "x", "boolean"],
  ])("%s %j is refused", async (option, value, message) => {
    const error = thrownBy(() => parseTxt2Img({ override_settings: { [option]: value } }));
    expect(error).toMatchObject({ code: "invalid_request" });
    expect(error.message).toContain(`override_settings.${option}: `);
    expect(error.message).toContain(message);
  });

  test("asking for what is so anyway is accepted on an engine without our own nodes, for anything else it is refused", async () => {
    const build = (override_settings: object) => parseTxt2Img({ override_settings }).build(inventory);
    await expect(build({ randn_source: "CPU", sgm_noise_multiplier: true, rho: 0 })).resolves.toBeDefined();
    for (const [option, value] of Object.entries({ randn_source: "NV", eta_noise_seed_delta: 1, rho: 5 })) {
      const error = await rejectionOf(build({ [option]: value }));
      expect(error).toMatchObject({ code: "unsupported_feature", details: { field: `override_settings.${option}` } });
    }
  });
});

test("what an infotext asks for is refused by name as well", async () => {
  const infotext = "a fox\nSteps: 6, Sampler: Euler, Seed: 3, Tiling: True";
  const error = thrownBy(() => parseTxt2Img({ infotext }));
  expect(error).toMatchObject({ code: "unsupported_feature", details: { field: "override_settings.tiling" } });
});
