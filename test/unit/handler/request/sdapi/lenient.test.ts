import { describe, expect, test } from "vitest";
import { parseImg2Img } from "../../../../../handler/request/sdapi/img2img.ts";
import type { SdapiSettings } from "../../../../../handler/request/sdapi/settings.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import { Styles } from "../../../../../handler/styles/styles.ts";
import clientBodies from "../../../../fixtures/sdapi/client-bodies.json" with { type: "json" };
import { loadInventory } from "../../../../support/catalogue.ts";
import { completed, output } from "../../../../support/completed.ts";
import { standInPicture } from "../../../../support/stand-in-pictures.ts";
import { rejectionOf } from "../../../../support/thrown.ts";

const inventory = await loadInventory(["one.safetensors", "two.safetensors"]);
const styles = new Styles([{ name: "photo", prompt: "photo of {prompt}", negativePrompt: "blurry" }]);
const HIRES = { enable_hr: true, denoising_strength: 0.5 };

async function answerTo(body: object, worker: Partial<SdapiSettings>, isFresh = true) {
  const request = parseTxt2Img({ steps: 4, seed: 1, ...body }, worker);
  const built = await request.build({ ...inventory, isFresh });
  const answer = built.encode(completed([output()])) as { info: string; warnings?: string[] };
  const { warnings: told, ...info } = JSON.parse(answer.info) as Record<string, unknown>;
  const { job_timestamp: _, subseed, all_subseeds, ...rest } = info;
  expect(told).toEqual(answer.warnings);
  return { graph: built.graph, warnings: answer.warnings ?? [], info: rest };
}
const lenient = (body: object) => answerTo(body, { isLenient: true });
const strict = async (body: object) => {
  const refused = async () => answerTo(body, {});
  return rejectionOf(refused());
};

/** What is asked for, the code and a part of the refusal, what A1111 does instead, and what the warning says of that. */
const CASES: [asked: object, code: string, part: string, same: object, instead: string][] = [
  [{ sampler_name: "Foo" }, "unknown_sampler", "Foo", { sampler_name: "DPM++ 2M" }, "DPM++ 2M is used"],
  [
    { sampler_name: "Foo Karras" },
    "unknown_sampler",
    "Foo Karras",
    { sampler_name: "DPM++ 2M", scheduler: "Karras" },
    "scheduler Karras",
  ],
  [
    { sampler_name: "Euler", scheduler: "Foo" },
    "unknown_sampler",
    "Foo",
    { sampler_name: "Euler" },
    "scheduler Automatic",
  ],
  [{ sampler_name: "Foo", scheduler: "Foo" }, "unknown_sampler", "Foo", { sampler_name: "DPM++ 2M" }, "is used"],
  [{ ...HIRES, hr_sampler_name: "Foo" }, "unknown_sampler", "Foo", { ...HIRES, hr_sampler_name: "DPM++ 2M" }, "used"],
  [{ override_settings: { sd_model_checkpoint: "no" } }, "unknown_model", "'no'", {}, "one.safetensors is used"],
  [{ override_settings: { sd_vae: "no" } }, "unknown_model", "'no'", {}, "checkpoint's own"],
  [{ refiner_checkpoint: "no", refiner_switch_at: 0.5 }, "unknown_model", "name no", {}, "no refiner"],
  [{ ...HIRES, hr_checkpoint_name: "no" }, "unknown_model", "name no", HIRES, "one.safetensors is used"],
  [{ ...HIRES, hr_upscaler: "no" }, "unknown_model", "named no", HIRES, "default"],
  [{ prompt: "a <lora:no:1>b" }, "unknown_model", "Lora not found: no", { prompt: "a b" }, "left out"],
  [{ prompt: "a <hypernet:no:1>b" }, "unknown_model", "not found: no", { prompt: "a b" }, "left out"],
  [
    { prompt: "a <lora:tiny-lora:1:1:dyn=4>b <lora:tiny-lora:0.5>" },
    "unsupported_feature",
    "dyn",
    { prompt: "a b <lora:tiny-lora:0.5>" },
    "left out",
  ],
  [{ prompt: "a AND b :-1" }, "unsupported_feature", "below 0", { prompt: "a AND b :0" }, "left out"],
  [{ loras: [{ name: "no" }] }, "unknown_model", "Lora not found: no", {}, "left out"],
  [{ tiling: true }, "unsupported_feature", "tiling", {}, "ignored"],
  [{ restore_faces: true }, "unsupported_feature", "restore_faces", {}, "ignored"],
  [{ firstphase_width: 64 }, "unsupported_feature", "firstphase_width", {}, "ignored"],
  [{ override_settings: { no_such_option: 1 } }, "unsupported_feature", "no_such_option", {}, "ignored"],
  [{ override_settings: { emphasis: "No norm" } }, "unsupported_feature", "No norm", {}, "ignored"],
  [{ alwayson_scripts: { AnimateDiff: { args: [true] } } }, "unsupported_feature", "AnimateDiff", {}, "ignored"],
  [{ script_name: "SD upscale" }, "unsupported_feature", "SD upscale", {}, "ignored"],
];

describe.each(CASES)("%j", (asked, code, part, same, instead) => {
  test("is refused by name", async () => {
    expect(await strict(asked)).toMatchObject({ code, message: expect.stringContaining(part) });
  });

  test("is left aside, with a warning, in lenient mode", async () => {
    const answer = await lenient(asked);
    const plain = await lenient(same);
    expect(answer.graph).toEqual(plain.graph);
    const warning = answer.warnings.find((text) => text.includes(part));
    expect(warning).toContain(instead);
    expect(warning).not.toContain("leave it out");
    expect(plain.warnings).toEqual([]);
  });
});

test("an unknown embedding is left to ComfyUI, which leaves it out", async () => {
  const prompt = "a embedding:no cat";
  expect(await strict({ prompt })).toMatchObject({ code: "unknown_model", message: expect.stringContaining("'no'") });
  const { graph, warnings } = await lenient({ prompt });
  expect(Object.values(graph).map(({ inputs }) => inputs["text"])).toContain(prompt);
  expect(warnings).toEqual([expect.stringMatching(/^prompt: embedding 'no' not found.*it is left out$/)]);
});

test("all that is left aside is told, each once", async () => {
  const { warnings } = await lenient({ tiling: true, restore_faces: true, sampler_name: "Foo", ...HIRES });
  expect(warnings.map((text) => text.split(":")[0])).toEqual([
    "restore_faces",
    "tiling",
    expect.stringContaining('"Foo"'),
  ]);
});

test.each([
  { steps: "many" },
  { steps: 0 },
  { prompt: "(a:1.2.3)" },
  { override_settings: { jpeg_quality: 0 } },
  { override_settings: { CLIP_stop_at_last_layers: "x" } },
  { styles: "photo" },
])("%j is a mistake in either mode", async (body) => {
  const answered = async () => lenient(body);
  expect((await rejectionOf(answered())).code).toBe("invalid_request");
});

test("a model counts as missing only in lists that were read for this request", async () => {
  const asked = { override_settings: { sd_model_checkpoint: "no" } };
  const before = async () => answerTo(asked, { isLenient: true }, false);
  expect((await rejectionOf(before())).code).toBe("unknown_model");
  const both = { ...asked, sampler_name: "Foo" };
  const request = parseTxt2Img({ ...both }, { isLenient: true });
  await rejectionOf(request.build({ ...inventory, isFresh: false }));
  const built = await request.build(inventory);
  const { warnings } = built.encode(completed([output()])) as { warnings: string[] };
  expect(warnings).toHaveLength(2);
});

test("without a checkpoint at all there is nothing to fall back to", async () => {
  const none = await loadInventory([]);
  const request = parseTxt2Img({}, { isLenient: true });
  expect((await rejectionOf(request.build(none))).message).toBe("this worker has no checkpoint");
});

describe("what is told in strict mode too", () => {
  test.each<[body: object, worker: Partial<SdapiSettings>, warnings: string[]]>([
    [{}, {}, []],
    [{ enable_hr: true }, {}, ["denoising_strength: not set, so 0.7 is used"]],
    [{ enable_hr: true, denoising_strength: 0 }, {}, []],
    [
      { sampler_name: "string", scheduler: "string", eta: 0 },
      {},
      ["sampler_name", "scheduler", "eta"].map(
        (name) => `${name}: taken as not set, as it is from the documentation's example`,
      ),
    ],
    [{ styles: ["photo", "nope", "", "None"] }, { styles }, ["styles: there is no style called nope"]],
    [{ styles: ["string"] }, {}, ["styles: taken as not set, as it is from the documentation's example"]],
    [{}, { idleOptions: ["tiling"] }, ["options that were set on this worker have no effect: tiling"]],
  ])("%j", async (body, worker, warnings) => {
    expect((await answerTo(body, worker)).warnings).toEqual(warnings);
  });

  /** Those that ask for no model of their own. */
  const drawn = clientBodies.bodies.filter(
    ({ client, path }) =>
      path.endsWith("/txt2img") && ["SillyTavern", "Open WebUI", "aiyabot", "A1111's /docs page"].includes(client),
  );
  test.each(drawn)("nothing, of the body of $client", async ({ body }) => {
    const { batch_size = 1, n_iter = 1 } = body as { batch_size?: number; n_iter?: number };
    const built = await parseTxt2Img(body).build(inventory);
    const pictures = Array.from({ length: batch_size * n_iter }, () => output());
    const { warnings = [] } = built.encode(completed(pictures)) as { warnings?: string[] };
    expect(warnings.filter((text) => !text.includes("documentation's example"))).toEqual([]);
  });
});

describe("styles", () => {
  const worker = { styles };
  const texts = async (body: object) =>
    Object.values((await answerTo(body, worker)).graph)
      .filter(({ class_type }) => class_type === "CLIPTextEncode")
      .map(({ inputs }) => inputs["text"]);

  test("are put around the prompts before comments and tags are taken out", async () => {
    const body = { prompt: "a cat # red", negative_prompt: "dog", styles: ["photo"] };
    expect(await texts(body)).toEqual(["photo of a cat", "dog, blurry"]);
    const { info } = await answerTo({ ...body, prompt: "a cat" }, worker);
    expect(info).toMatchObject({ prompt: "photo of a cat", negative_prompt: "dog, blurry", styles: ["photo"] });
    expect(String(info["infotexts"])).toMatch(/^photo of a cat\nNegative prompt: dog, blurry\n/);
  });

  test("are put around those of hires fix too, which differ only if they did without", async () => {
    const body = { prompt: "a cat", styles: ["photo"], ...HIRES };
    const infotext = async (own: object) => String((await answerTo({ ...body, ...own }, worker)).info["infotexts"]);
    expect(await infotext({ hr_prompt: "" })).not.toMatch(/Hires (negative )?prompt/);
    expect(await infotext({ hr_prompt: "a dog" })).toContain(", Hires prompt: photo of a dog,");
    expect(await texts({ ...body, hr_prompt: "a dog" })).toEqual(["photo of a cat", "blurry", "photo of a dog"]);
  });

  test("come back from an infotext", async () => {
    const { graph, info } = await answerTo({ prompt: "a cat", styles: ["photo"] }, worker);
    const again = await answerTo({ infotext: String(info["infotexts"]), steps: undefined, seed: undefined }, worker);
    expect(again.info).toMatchObject({ prompt: "photo of a cat", styles: ["photo"] });
    expect(Object.keys(again.graph)).toEqual(Object.keys(graph));
  });

  test.each([[undefined], [null], [[]]])("%j: none", async (given) => {
    expect((await answerTo({ prompt: " a ", styles: given }, worker)).info).toMatchObject({
      prompt: " a ",
      styles: [],
    });
  });
});

test("a blank mask is told, where only the masked area is wanted", async () => {
  const picture = await standInPicture("@img64x64");
  const body = { steps: 4, width: 64, height: 64, init_images: [picture], mask: await standInPicture("@mask64 blank") };
  const told = async (inpaint_full_res: boolean) => {
    const built = await parseImg2Img({ ...body, inpaint_full_res }).build(inventory);
    return (built.encode(completed([output()])) as { warnings?: string[] }).warnings ?? [];
  };
  expect(await told(true)).toEqual([expect.stringContaining("mask is blank, switch to img2img mode")]);
  expect(await told(false)).toEqual([]);
});
