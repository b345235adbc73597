import { describe, expect, test } from "vitest";
import { Notes } from "../../../../../handler/request/sdapi/notes.ts";
import { IRRELEVANT, UNAVAILABLE } from "../../../../../handler/request/sdapi/option-classes.ts";
import { canBeHonoured, classOfOption, parseOptions } from "../../../../../handler/request/sdapi/options.ts";
import { parsePictureOptions } from "../../../../../handler/request/sdapi/picture-options.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import recorded from "../../../../fixtures/sdapi/get-routes.json" with { type: "json" };
import { loadInventory } from "../../../../support/catalogue.ts";
import { completed, output } from "../../../../support/completed.ts";
import { thrownBy } from "../../../../support/thrown.ts";

const OPTIONS = Object.entries(recorded.options);
const inventory = await loadInventory(undefined, "own");

async function answerTo(body: object) {
  const built = await parseTxt2Img({ steps: 4, ...body }).build(inventory);
  const answer = built.encode(completed([output()])) as { info: string; warnings?: string[] };
  const info = JSON.parse(answer.info) as { infotexts: string[]; extra_generation_params: object; prompt: string };
  return { nodes: Object.values(built.graph), info, infotext: info.infotexts[0]!, warnings: answer.warnings };
}

/** Not of A1111. */
const FORGE = ["forge_unet_storage_dtype", "forge_inference_memory", "forge_async_loading", "forge_pin_shared_memory"];

describe("every option of A1111", () => {
  test("is honoured, cannot be had, or does not matter: one of the three", () => {
    expect(OPTIONS).toHaveLength(312);
    expect(OPTIONS.filter(([name]) => classOfOption(name) === undefined)).toEqual([]);
    const lists = [...UNAVAILABLE, ...IRRELEVANT];
    expect(lists.filter((name, index) => lists.indexOf(name) !== index)).toEqual([]);
    const isListed = (name: string) => lists.includes(name);
    expect(OPTIONS.filter(([name]) => classOfOption(name) === "honoured" && isListed(name))).toEqual([]);
    expect(lists.filter((name) => !(name in recorded.options))).toEqual(FORGE);
  });

  test("may be sent with its default", () => {
    const { sd_model_checkpoint: _, ...others } = recorded.options;
    expect(() => parseOptions(others, new Notes())).not.toThrow();
    expect(() => parsePictureOptions(others)).not.toThrow();
    expect(() => parseOptions(Object.fromEntries(OPTIONS.map(([name]) => [name, null])), new Notes())).not.toThrow();
  });
});

test.each<[option: string, ...accepted: unknown[]]>([
  ["tiling", false, "false", "False", null],
  ["comma_padding_backtrack", 20],
  ["emphasis", "Original", "None", "Ignore"],
  ["uni_pc_variant", "bh1", "bh2"],
  ["outdir_samples", "", "/x", 5],
  ["upscaler_for_img2img", null, "None", ""],
])("%s: what asks for what is so anyway is accepted", (option, ...accepted) => {
  for (const value of accepted) expect(canBeHonoured(option, value), String(value)).toBe(true);
});

test.each<[option: string, value: unknown, code: string]>([
  ["tiling", true, "unsupported_feature"],
  ["rho", -1, "invalid_request"],
  ["emphasis", "No norm", "unsupported_feature"],
  ["emphasis", "no such mode", "invalid_request"],
  ["uni_pc_variant", "vary_coeff", "unsupported_feature"],
  ["sd_vae_decode_method", "TAESD", "unsupported_feature"],
  ["inpainting_mask_weight", 1.5, "invalid_request"],
  ["no_such_option", 1, "unsupported_feature"],
  ["constructor", 1, "unsupported_feature"],
  ["token_merging_ratio", 1.5, "invalid_request"],
  ["CLIP_stop_at_last_layers", "x", "invalid_request"],
])("%s: %j is refused by name", (option, value, code) => {
  const error = thrownBy(() => parseOptions({ [option]: value }, new Notes()));
  expect(error).toMatchObject({ code, message: expect.stringContaining(`override_settings.${option}`) });
});

describe("what the options of A1111 do", () => {
  const texts = async (body: object) =>
    (await answerTo(body)).nodes
      .filter(({ class_type }) => class_type === "CLIPTextEncode")
      .map(({ inputs }) => inputs["text"]);
  const PROMPT = "(a:1.2) [b] BREAK \\(c\\)";

  test.each([
    ["Original", ["(a:1.2) (b:0.909091)", "\\(c\\)"], undefined],
    ["Ignore", ["a b", "\\(c\\)"], "Ignore"],
    ["None", ["\\(a:1.2\\) [b] BREAK \\\\(c\\\\)"], "None"],
  ])("emphasis %s", async (emphasis, chunks, told) => {
    const body = { prompt: PROMPT, override_settings: { emphasis } };
    expect((await texts(body)).slice(0, chunks.length)).toEqual(chunks);
    expect((await answerTo(body)).info.extra_generation_params).toEqual(told ? { Emphasis: told } : {});
    const plain = await answerTo({ ...body, prompt: "a" });
    expect(plain.info.extra_generation_params).toEqual({});
  });

  test.each([
    ["add_model_name_to_info", /, Model: /],
    ["add_version_to_infotext", /, Version: /],
  ])("%s switches a part of the infotext off", async (option, part) => {
    expect((await answerTo({})).infotext).toMatch(part);
    expect((await answerTo({ override_settings: { [option]: false } })).infotext).not.toMatch(part);
  });

  test("add_vae_name_to_info too", async () => {
    const settings = { sd_vae: "tiny-vae" };
    const without = { ...settings, add_vae_name_to_info: false };
    expect((await answerTo({ override_settings: settings })).infotext).toContain("VAE: ");
    expect((await answerTo({ override_settings: without })).infotext).not.toContain("VAE: ");
  });

  test.each([
    ["bh1", "UniPC", "uni_pc"],
    ["bh2", "UniPC", "uni_pc_bh2"],
    ["bh2", "Euler", "euler"],
  ])("uni_pc_variant %s is for UniPC: %s", async (uni_pc_variant, sampler_name, used) => {
    for (const [nodes, node] of [
      ["own", "ComfyEndpointSampler"],
      ["core", "KSampler"],
    ] as const) {
      const body = { steps: 4, sampler_name, override_settings: { uni_pc_variant } };
      const { graph } = await parseTxt2Img(body).build(await loadInventory(undefined, nodes));
      const sampler = Object.values(graph).find(({ class_type }) => class_type === node);
      expect(sampler?.inputs["sampler_name"]).toBe(used);
    }
  });

  test.each<[settings: object, hires: boolean, ratios: number[], infotext: string]>([
    [{}, false, [], ""],
    [{ token_merging_ratio: 0.5 }, false, [0.5], "Token merging ratio: 0.5, "],
    [{ token_merging_ratio: 0.5 }, true, [0.5], "Token merging ratio: 0.5, Token merging ratio hr: 0.5, "],
    [{ token_merging_ratio_hr: 0.3 }, true, [0.3], "Token merging ratio hr: 0.3, "],
    [{ token_merging_ratio_hr: 0.3 }, false, [], ""],
    [{ token_merging_ratio_img2img: 0.3 }, true, [], ""],
  ])("%j, with hires fix: %j", async (override_settings, enable_hr, ratios, written) => {
    const { nodes, infotext, warnings } = await answerTo({ override_settings, enable_hr, denoising_strength: 0.5 });
    const patches = nodes.filter(({ class_type }) => class_type === "TomePatchModel");
    expect(patches.map(({ inputs }) => inputs["ratio"])).toEqual(ratios);
    expect(/((?:Token merging[^,]*, )+)/.exec(infotext)?.[1] ?? "").toBe(written);
    expect(warnings ?? []).toHaveLength(ratios.length);
  });
});
