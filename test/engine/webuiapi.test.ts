/** The client `webuiapi` of the Python package index, every method of it, on the emulator and on the real engine. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { SDAPI_SAMPLERS, SDAPI_SCHEDULERS } from "../../workflows/sdapi-samplers.ts";
import recorded from "../fixtures/sdapi/get-routes.json" with { type: "json" };
import { EMULATOR_ENVIRONMENT, startEndpoint } from "../support/endpoint.ts";
import { installWebuiapi } from "./install.ts";

const DRIVER = join(import.meta.dirname, "../support/webuiapi_driver.py");

interface Report {
  /** All public methods of the class. */
  methods: string[];
  outcomes: Record<string, { value?: unknown; error?: string }>;
}

const value = (expected: unknown) => ({ value: expected });
const error = (...parts: string[]) => ({ error: expect.stringMatching(new RegExp(parts.map(quoted).join(".*"), "s")) });
const quoted = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const some = (items: readonly unknown[]) => expect.arrayContaining([...items]);
const has = (fields: object) => expect.objectContaining(fields);
const namesOf = (items: readonly { name: string }[]) => items.map(({ name }) => name);

/** With the hash, once it is known. */
const TITLE = expect.stringMatching(/^tiny-sd15\.safetensors( \[[0-9a-f]{10}\])?$/);

interface Pictures {
  sizes: [number, number][];
  format?: string;
  info?: object;
}

/** Pictures with something on them, and what the client shows of their making. */
const pictures = ({ sizes, format = "PNG", info = {} }: Pictures) =>
  value(
    has({ sizes, formats: sizes.map(() => format), colours: sizes.map(() => expect.any(Number)), info: has(info) }),
  );
const one = (info: object = {}) => pictures({ sizes: [[64, 64]], info: { seed: 5, all_seeds: [5], ...info } });
const enlarged = (done: string, ...sizes: [number, number][]) =>
  value(has({ sizes, formats: sizes.map(() => "PNG"), info: `<p>Postprocess upscale ${done}</p>` }));
const notServed = (route: string) => error("501", "NotSupported", `/sdapi/v1/${route} is not supported`);
const nowhere = (detail: string) => ({ error: expect.stringContaining(detail) });
const recordedList = (route: "latent-upscale-modes" | "face-restorers" | "hypernetworks" | "prompt-styles") =>
  value(recorded.routes[route]);

/** Method, or method and case: what it gives. An error is what the client raises from our refusal. */
const EXPECTED: Record<string, object> = {
  async_post: one(),
  check_extensions: value({ has_controlnet: true, has_adetailer: false, has_animatediff: false }),
  controlnet_detect: error("501", "/controlnet/detect is not supported"),
  controlnet_model_list: value(["None", expect.stringMatching(/^tiny-controlnet/)]),
  controlnet_module_list: value(["none", "tile_resample", "canny", "invert"]),
  controlnet_version: value(3),
  custom_get: recordedList("latent-upscale-modes"),
  "custom_get: below the API": value(has({ name: "None" })),
  custom_post: one(),
  "custom_post: asynchronous": one(),
  extra_batch_images: enlarged("by: 2.0, Postprocess upscaler: Lanczos", [128, 128], [96, 64]),
  extra_single_image: enlarged("by: 1.5, Postprocess upscaler: tiny-2x", [96, 96]),
  "extra_single_image: to a size": enlarged(
    "to: 100x50, Postprocess crop to: 100x50, Postprocess upscaler: Nearest",
    [100, 50],
  ),
  "extra_single_image: unknown upscaler": error("422", "could not find upscaler named nope", "tiny-2x"),
  // Gone from A1111 long before 1.10.
  get_artist_categories: value({ detail: "Not Found" }),
  get_artists: value({ detail: "Not Found" }),
  get_cmd_flags: value(has({ api: true, nowebui: true, no_half: expect.any(Boolean) })),
  get_embeddings: value({ loaded: has({ "tiny-embedding": expect.anything() }), skipped: {} }),
  get_endpoint: value([expect.stringMatching(/:\d+\/a\/b$/), expect.stringMatching(/:\d+\/sdapi\/v1\/a$/)]),
  get_face_restorers: recordedList("face-restorers"),
  get_hypernetworks: recordedList("hypernetworks"),
  get_latent_upscale_modes: recordedList("latent-upscale-modes"),
  get_loras: value(some([has({ name: "tiny-lora", alias: "tiny-lora" })])),
  get_memory: value(has({ ram: has({ total: expect.any(Number) }) })),
  get_options: value(has({ sd_model_checkpoint: TITLE, samples_format: "png" })),
  get_progress: value({ ...recorded.routes.progress, state: has({ job_count: 0, sampling_step: 0 }) }),
  "get_progress: of work": value({
    acted: { progress: expect.any(Number), state: has({ job: "scripts_txt2img", job_count: 1, sampling_steps: 400 }) },
    generation: error("499", "cancelled"),
  }),
  get_prompt_styles: recordedList("prompt-styles"),
  get_realesrgan_models: value([]),
  get_samplers: value(namesOf(SDAPI_SAMPLERS).map((name) => has({ name, aliases: expect.any(Array) }))),
  get_schedulers: value(SDAPI_SCHEDULERS.map(({ name, label }) => has({ name, label }))),
  get_scripts: value({ txt2img: expect.any(Array), img2img: expect.any(Array) }),
  get_sd_models: value(some([has({ model_name: "tiny-sd15" })])),
  get_sd_vae: value(some([has({ model_name: "tiny-vae.safetensors" })])),
  get_upscalers: value(some(["None", "Lanczos", "Nearest", "tiny-2x"].map((name) => has({ name })))),
  img2img: one({ denoising_strength: 0.75 }),
  "img2img: two pictures": pictures({
    sizes: [
      [64, 64],
      [64, 64],
    ],
    info: { all_seeds: [5, 6] },
  }),
  "img2img: inpainting, only masked": pictures({ sizes: [[96, 80]], info: { width: 64, height: 64 } }),
  "img2img: inpainting, whole picture": one(),
  "img2img: no picture": error("422", "init_images"),
  interrogate: notServed("interrogate"),
  interrupt: value({ acted: {}, generation: error("499", "the generation was interrupted") }),
  // Extensions that are no part of A1111.
  list_prompt_gen_models: nowhere("KeyError: 'available_models'"),
  png_info: value(has({ info: "", parameters: has({ Prompt: "" }) })),
  post_and_get_api_result: error("404", "Sampler not found", "Euler a"),
  prompt_gen: error("404", "there is no POST /promptgen/generate"),
  refresh_checkpoints: value(null),
  set_auth: value({ before: has({ detail: "Not authenticated" }), after: namesOf(SDAPI_SAMPLERS).length }),
  set_options: value(null),
  "set_options: unknown model": value(has({ error: "unknown_model", detail: expect.stringContaining("tiny-sd15") })),
  skip: value(null),
  txt2img: one({ sampler_name: "Euler a", steps: 3, sd_model_name: "tiny-sd15" }),
  "txt2img: batches": pictures({
    sizes: [
      [64, 64],
      [64, 64],
      [64, 64],
      [64, 64],
    ],
    info: { all_seeds: [5, 6, 7, 8], index_of_first_image: 0 },
  }),
  "txt2img: hires fix": pictures({
    sizes: [[96, 96]],
    info: { width: 64, extra_generation_params: has({ "Hires upscale": 1.5, "Hires upscaler": "Latent" }) },
  }),
  "txt2img: LoRA, clip skip, jpg": pictures({
    sizes: [[64, 64]],
    format: "JPEG",
    info: { prompt: "a cat <lora:tiny-lora:0.5>", clip_skip: 2 },
  }),
  "txt2img: asynchronous": one({ sampler_name: "Euler a" }),
  "txt2img: ControlNet": one({ extra_generation_params: has({ "ControlNet 0": expect.stringContaining("canny") }) }),
  "txt2img: ControlNet preprocessor": error("422", "unsupported_feature", "openpose"),
  "txt2img: ADetailer": error("422", "ADetailer", "not found"),
  util_get_current_model: value(TITLE),
  util_get_model_names: value(some([TITLE])),
  util_get_sampler_names: value(namesOf(SDAPI_SAMPLERS).sort()),
  util_get_scheduler_names: value(SDAPI_SCHEDULERS.map(({ name }) => name).sort()),
  util_set_model: value(expect.stringMatching(/^tiny-/)),
  "util_set_model: closest": value(expect.stringMatching(/^tiny-sd15-inpaint\.safetensors/)),
  util_wait_for_ready: value({ acted: null, generation: error("499") }),
};

describe.each([
  ["the emulator", EMULATOR_ENVIRONMENT],
  ["the real engine", {}],
])("webuiapi on %s", (_, settings) => {
  let report: Report;
  beforeAll(async () => {
    const python = await installWebuiapi();
    const stops: (() => Promise<void>)[] = [];
    const endpoint = await startEndpoint({ ...settings, SDAPI_AUTH: "user:pass" }, (stop) => stops.push(stop));
    await endpoint.ready();
    const { stdout } = await promisify(execFile)(python, [DRIVER, new URL(endpoint.url).port], {
      maxBuffer: 2 ** 28,
    });
    report = JSON.parse(stdout) as Report;
    return async () => {
      for (const stop of stops) await stop();
    };
  });

  test("every public method is in the table, and is called", () => {
    const methodOf = (name: string) => name.split(":")[0]!;
    expect(Object.keys(report.outcomes).sort()).toEqual(Object.keys(EXPECTED).sort());
    expect(new Set(Object.keys(EXPECTED).map(methodOf))).toEqual(new Set(report.methods));
  });

  test.each(Object.entries(EXPECTED))("%s", (name, expected) => {
    expect(report.outcomes[name]).toEqual(expected);
  });
});
