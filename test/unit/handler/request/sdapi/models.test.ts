import { describe, expect, test } from "vitest";
import type { Inventory } from "../../../../../handler/request/request.ts";
import type { SdapiSettings } from "../../../../../handler/request/sdapi/settings.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import type { Graph } from "../../../../../runtime/comfyui/graph.ts";
import { checkGraph } from "../../../../../workflows/check-graph.ts";
import { completed, output } from "../../../../support/completed.ts";
import { HEADERS } from "../../../../support/model-headers.ts";
import { inventoryOf } from "../../../../support/model-inventory.ts";
import { safetensorsFile } from "../../../../support/safetensors.ts";
import { shownGraph } from "../../../../support/shown-graph.ts";

const model = (name: keyof typeof HEADERS) => safetensorsFile(HEADERS[name]);
const FILES = {
  "checkpoints/sd1.safetensors": model("sd1"),
  "checkpoints/inpaint.safetensors": model("sd1Inpainting"),
  "checkpoints/ip2p.safetensors": model("instructPix2Pix"),
  "checkpoints/sd2.safetensors": model("sd2"),
  "checkpoints/sdxl.safetensors": model("sdxl"),
  "checkpoints/refiner.safetensors": model("sdxlRefiner"),
  "checkpoints/sd3.safetensors": model("sd3"),
  "checkpoints/flux-whole.safetensors": model("fluxWhole"),
  "checkpoints/old.ckpt": "a pickle",
  "checkpoints/video.safetensors": model("video"),
  "diffusion_models/flux1-dev.safetensors": model("flux"),
  "diffusion_models/schnell.safetensors": model("fluxSchnell"),
  "diffusion_models/fill.safetensors": model("fluxFill"),
  "diffusion_models/sd3.5.safetensors": model("sd3Bare"),
  "diffusion_models/chroma.safetensors": model("chroma"),
  "diffusion_models/qwen.safetensors": model("qwenImage"),
  "diffusion_models/xl.safetensors": model("sdxlBare"),
  "diffusion_models/flux2.safetensors": model("flux2"),
  "text_encoders/clip_l.safetensors": model("textEncoder"),
  "text_encoders/clip_g.safetensors": model("textEncoder"),
  "text_encoders/sub/t5xxl_fp8_e4m3fn.safetensors": "t5",
  "vae/ae.safetensors": model("vae"),
  "vae/other.safetensors": model("vae"),
};
const FLUX_MODULES = ["ae.safetensors", "clip_l.safetensors", "t5xxl_fp8_e4m3fn.safetensors"];

async function graphOf(checkpoint: string, body: object = {}, inventory?: Inventory): Promise<Graph> {
  const { override_settings = {} } = body as { override_settings?: object };
  const request = {
    prompt: "a fox",
    seed: 5,
    steps: 4,
    ...body,
    override_settings: { sd_model_checkpoint: checkpoint, ...override_settings },
  };
  const used = inventory ?? (await inventoryOf(FILES));
  const { graph } = await parseTxt2Img(request).build(used);
  expect(checkGraph(graph, used.catalogue)).toBe(graph);
  return graph;
}
const modules = (...names: string[]) => ({ override_settings: { forge_additional_modules: names } });
const classesIn = (graph: Graph) => Object.values(graph).map(({ class_type }) => class_type);
const inputsOf = (graph: Graph, classType: string) =>
  Object.values(graph)
    .filter(({ class_type }) => class_type === classType)
    .map(({ inputs }) => inputs);

describe("a graph is that of the model's kind:", () => {
  test.each<[string, string, object]>([
    ["SD 1 with clip skip", "sd1", { clip_skip: 2 }],
    ["SD 2, of which A1111 skips no layers", "sd2", { clip_skip: 2 }],
    [
      "SDXL with an empty negative prompt, of which A1111 skips no layers either",
      "sdxl",
      { clip_skip: 2, width: 1024 },
    ],
    ["SDXL with a negative prompt", "sdxl", { negative_prompt: "blurry" }],
    ["SDXL of a size between cells, and larger", "sdxl", { width: 1021, enable_hr: true, hr_scale: 1.3 }],
    ["SDXL with a refiner", "sdxl", { refiner_checkpoint: "refiner", refiner_switch_at: 0.8, steps: 20 }],
    ["SDXL alone", "xl", modules("ae", "clip_l", "clip_g")],
    ["an inpainting model", "inpaint", {}],
    ["SD 3 in one file", "sd3.safetensors", { cfg_scale: 4.5 }],
    ["SD 3 alone", "sd3.5.safetensors", modules("ae", "clip_l", "clip_g", "t5xxl_fp8_e4m3fn")],
    [
      "Flux as Forge asks for it",
      "flux1-dev.safetensors",
      {
        cfg_scale: 1,
        distilled_cfg_scale: 3.5,
        sampler_name: "Euler",
        scheduler: "Simple",
        ...modules(...FLUX_MODULES),
      },
    ],
    [
      "Flux in one file, with a negative prompt",
      "flux-whole",
      { negative_prompt: "blurry", cfg_scale: 2, width: 1000 },
    ],
    ["Flux schnell", "schnell", { cfg_scale: 1, distilled_cfg_scale: 3, ...modules(...FLUX_MODULES) }],
    ["Chroma", "chroma", modules("ae", "t5xxl_fp8_e4m3fn")],
    ["Qwen-Image", "qwen", modules("ae", "clip_l")],
    ["a pickle, as SD 1", "old", { clip_skip: 2 }],
  ])("%s", async (_, checkpoint, body) => {
    expect(shownGraph(await graphOf(checkpoint, body))).toMatchSnapshot();
  });
});

describe("Forge's modules", () => {
  test("are found by file name, whatever the folder", async () => {
    const paths = ["/models/VAE/ae.safetensors", "C:\\models\\text_encoder\\clip_l.safetensors", "t5xxl_fp8_e4m3fn"];
    const graph = await graphOf("flux1-dev", { cfg_scale: 1, ...modules(...paths) });
    expect(inputsOf(graph, "DualCLIPLoader")).toEqual([
      { clip_name1: "clip_l.safetensors", clip_name2: "sub/t5xxl_fp8_e4m3fn.safetensors", type: "flux" },
    ]);
  });

  test("take the place of what a checkpoint has inside, and of sd_vae", async () => {
    const override_settings = { sd_vae: "other", forge_additional_modules: ["ae"] };
    const graph = await graphOf("sd1", { override_settings });
    expect(inputsOf(graph, "VAELoader")).toEqual([{ vae_name: "ae.safetensors" }]);
  });

  test("of a second pass", async () => {
    const loaded = async (hr_additional_modules: unknown, own: string[] = ["ae"]) => {
      const body = { enable_hr: true, denoising_strength: 0.5, hr_additional_modules, ...modules(...own) };
      return inputsOf(await graphOf("flux-whole", body), "VAELoader").map(({ vae_name }) => vae_name);
    };
    const [ae, other] = ["ae.safetensors", "other.safetensors"];
    expect(await loaded(null)).toEqual([ae]);
    expect(await loaded(["Use same choices"])).toEqual([ae]);
    expect(await loaded(["/models/VAE/other.safetensors"])).toEqual([ae, other]);
    expect(await loaded(["other"], [])).toEqual([other]);
    expect(await loaded([])).toEqual([ae]);
    const decoder = (graph: Graph) => graph[(inputsOf(graph, "VAEDecode").at(-1)!["vae"] as [string, number])[0]]!;
    const body = { enable_hr: true, denoising_strength: 0.5, hr_additional_modules: [], ...modules("ae") };
    expect(decoder(await graphOf("flux-whole", body)).class_type).toBe("CheckpointLoaderSimple");
    await expect(loaded(["nope"])).rejects.toMatchObject({
      message: expect.stringContaining("no VAE or text encoder is called 'nope'"),
      details: { field: "hr_additional_modules" },
    });
  });

  test("none are what the checkpoint has inside", async () => {
    expect(classesIn(await graphOf("flux-whole", modules()))).not.toContain("VAELoader");
  });
});

test("a distilled scale is told to models that take one, and only to them", async () => {
  expect(inputsOf(await graphOf("flux-whole", { distilled_cfg_scale: 2 }), "FluxGuidance")).toMatchObject([
    { guidance: 2 },
    { guidance: 2 },
  ]);
  expect(inputsOf(await graphOf("flux-whole", { cfg_scale: 1 }), "FluxGuidance")).toMatchObject([{ guidance: 3.5 }]);
  expect(classesIn(await graphOf("sdxl", { distilled_cfg_scale: 2 }))).not.toContain("FluxGuidance");
});

test("Forge's scales of a second pass", async () => {
  const hires = { enable_hr: true, denoising_strength: 0.5, cfg_scale: 2, distilled_cfg_scale: 4 };
  const scales = (graph: Graph) => inputsOf(graph, "KSampler").map(({ cfg }) => cfg);
  const first = await graphOf("flux-whole", hires);
  expect(scales(first)).toEqual([2, 2]);
  const second = await graphOf("flux-whole", { ...hires, hr_cfg: 1, hr_distilled_cfg: 5 });
  expect(scales(second)).toEqual([2, 1]);
  expect(inputsOf(second, "FluxGuidance").map(({ guidance }) => guidance)).toEqual([4, 4, 5]);
  const own = inputsOf(await graphOf("sd1", { ...hires, hr_cfg: 9.5 }), "CFGGuider");
  expect(own.map(({ cfg }) => cfg)).toEqual([2, 9.5]);
});

test("the scores that SDXL's refiner is told", async () => {
  const scores = async (options: object) => {
    const body = { refiner_checkpoint: "refiner", refiner_switch_at: 0.5, steps: 20, negative_prompt: "blurry" };
    const graph = await graphOf("sdxl", { ...body, override_settings: options });
    return inputsOf(graph, "CLIPTextEncodeSDXLRefiner").map(({ ascore }) => ascore);
  };
  expect(await scores({})).toEqual([6, 2.5]);
  expect(await scores({ sdxl_refiner_low_aesthetic_score: 1, sdxl_refiner_high_aesthetic_score: 7.5 })).toEqual([
    7.5, 1,
  ]);
});

test("a flow has its own schedule, unless the request names one", async () => {
  const scheduler = async (checkpoint: string, body: object) =>
    inputsOf(await graphOf(checkpoint, body), "KSampler")[0]!["scheduler"];
  expect(await scheduler("flux-whole", { sampler_name: "DPM++ 2M" })).toBe("simple");
  expect(await scheduler("flux-whole", { scheduler: "automatic" })).toBe("simple");
  expect(await scheduler("flux-whole", { sampler_name: "Euler Karras" })).toBe("karras");
  expect(await scheduler("flux-whole", { scheduler: "Beta" })).toBe("beta");
  expect(await scheduler("sd3.safetensors", {})).toBe("sgm_uniform");
});

test.each([
  ["sd1", {}],
  ["sdxl", {}],
  ["old", {}],
])("%s has A1111's noise and noise levels", async (checkpoint, body) => {
  const classes = classesIn(await graphOf(checkpoint, body));
  expect(classes).toEqual(expect.arrayContaining(["ComfyEndpointNoise", "ComfyEndpointSigmas"]));
  expect(classes).not.toContain("KSampler");
});

test("Align Your Steps has levels of its own for SDXL", async () => {
  const levels = async (checkpoint: string) => {
    const body = { scheduler: "Align Your Steps", steps: 11 };
    return inputsOf(await graphOf(checkpoint, body), "ComfyEndpointSigmas")[0]!["sigmas"];
  };
  expect(await levels("sd1")).toBe("14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029, 0");
  expect(await levels("sdxl")).toBe("14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.38, 0.234, 0.113, 0.029, 0");
});

describe("what needs A1111's own noise is refused for a flow", () => {
  const build = async (body: object, worker: Partial<SdapiSettings> = {}) =>
    parseTxt2Img({ seed: 1, ...own, ...body }, worker).build(await inventoryOf(FILES));
  const own = { override_settings: { sd_model_checkpoint: "flux-whole" } };
  const CASES: [field: string, body: object][] = [
    ["subseed_strength", { subseed_strength: 0.5 }],
    ["seed_resize_from_w", { seed_resize_from_w: 64, seed_resize_from_h: 64 }],
    ["s_churn", { s_churn: 1 }],
    ...Object.entries({
      randn_source: "NV",
      eta_noise_seed_delta: 31337,
      rho: 5,
      sigma_min: 0.1,
      s_churn: 1,
      s_noise: 1.1,
    }).map(([option, value]): [string, object] => [
      `override_settings.${option}`,
      { override_settings: { ...own.override_settings, [option]: value } },
    ]),
  ];

  test.each(CASES)("%s", async (field, body) => {
    await expect(build(body)).rejects.toMatchObject({ code: "unsupported_feature", details: { field } });
  });

  test.each(CASES)("%s, and left aside with a warning in lenient mode", async (field, body) => {
    const [asked, plain] = [await build(body, { isLenient: true }), await build({})];
    expect(asked.graph).toEqual(plain.graph);
    const { warnings } = asked.encode(completed([output()])) as { warnings: string[] };
    expect(warnings).toEqual([expect.stringContaining(`${field}:`)]);
  });

  test("an option that was set on the worker is not followed, and told", async () => {
    const built = await build({}, { options: { rho: 5 } });
    const { warnings } = built.encode(completed([output()])) as { warnings: string[] };
    expect(warnings).toEqual([expect.stringContaining("rho, set on this worker")]);
  });
});

test.each<[checkpoint: string, body: object, code: string, ...texts: string[]]>([
  ["ip2p", {}, "unsupported_feature", "sd_model_checkpoint", "ip2p.safetensors", "instruct-pix2pix"],
  ["fill", modules(...FLUX_MODULES), "unsupported_feature", "fill.safetensors"],
  ["video", {}, "unsupported_feature", "video.safetensors"],
  ["flux2", {}, "unsupported_feature", "flux2.safetensors"],
  ["sd1", { refiner_checkpoint: "ip2p" }, "unsupported_feature", "refiner_checkpoint", "ip2p.safetensors"],
  ["sd1", { enable_hr: true, hr_checkpoint_name: "video" }, "unsupported_feature", "hr_checkpoint_name"],
  ["flux1-dev", {}, "invalid_request", "forge_additional_modules", "text encoders", "Flux.1 dev"],
  ["flux1-dev", modules("clip_l", "t5xxl_fp8_e4m3fn"), "invalid_request", "forge_additional_modules", "VAE"],
  ["flux1-dev", modules("ae", "clip_l"), "invalid_request", "forge_additional_modules", "takes 2 text encoders, not 1"],
  ["flux1-dev", modules("ae", "other", "clip_l"), "invalid_request", "both VAEs"],
  ["flux1-dev", modules("nope"), "unknown_model", "'nope'", "ae.safetensors", "clip_l.safetensors"],
  ["flux-whole", { sampler_name: "LCM" }, "unsupported_feature", "sampler_name", "LCM"],
  ["flux-whole", { scheduler: "Align Your Steps" }, "unsupported_feature", "Align Your Steps"],
  ["flux-whole", { clip_skip: 2 }, "unsupported_feature", "CLIP_stop_at_last_layers", "Flux.1 dev"],
  ["flux-whole", { refiner_checkpoint: "refiner" }, "unsupported_feature", "refiner_checkpoint"],
  ["sdxl", { refiner_checkpoint: "flux-whole" }, "unsupported_feature", "refiner_checkpoint"],
  ["flux-whole", { prompt: "a [cat:dog:0.5]" }, "unsupported_feature", "prompt:", "changes on the way"],
  ["flux-whole", { negative_prompt: "[cat|dog]" }, "unsupported_feature", "negative_prompt:"],
])("%s with %j is refused by name", async (checkpoint, body, code, ...texts) => {
  const refusal = await graphOf(checkpoint, body).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code });
  for (const text of texts) expect((refusal as Error).message).toContain(text);
});

describe("in lenient mode", () => {
  const answered = async (checkpoint: string, body: object) => {
    const override_settings = { sd_model_checkpoint: checkpoint };
    const request = parseTxt2Img({ seed: 5, steps: 4, override_settings, ...body }, { isLenient: true });
    const built = await request.build(await inventoryOf(FILES));
    const { warnings = [] } = built.encode(completed([output()])) as { warnings?: string[] };
    return { graph: built.graph, warnings };
  };

  test.each<[checkpoint: string, body: object, same: object, warning: RegExp]>([
    ["flux-whole", { sampler_name: "LCM" }, { sampler_name: "DPM++ 2M" }, /sampler "LCM" .*; DPM\+\+ 2M is used$/],
    ["flux-whole", { clip_skip: 2 }, {}, /clip skip is not available.*; it is ignored$/],
    ["flux-whole", { refiner_checkpoint: "refiner", refiner_switch_at: 0.5 }, {}, /there is no refiner$/],
    ["sdxl", { refiner_checkpoint: "flux-whole" }, {}, /there is no refiner$/],
  ])("%s with %j leaves it aside, with a warning", async (checkpoint, body, same, warning) => {
    const { graph, warnings } = await answered(checkpoint, body);
    const plain = await answered(checkpoint, same);
    expect(graph).toEqual(plain.graph);
    expect(warnings).toEqual([expect.stringMatching(warning)]);
    expect(plain.warnings).toEqual([]);
  });
});

describe("on an engine whose disk is not ours", () => {
  const graphThere = async (checkpoint: string, body: object) =>
    await graphOf(checkpoint, body, await inventoryOf(FILES, false));

  test("a checkpoint is drawn as SD 1, unless the request says what it is set up for", async () => {
    expect(classesIn(await graphThere("sdxl", { clip_skip: 2 }))).toContain("CLIPSetLastLayer");
    const said = { clip_skip: 2, override_settings: { forge_preset: "xl" } };
    expect(classesIn(await graphThere("sdxl", said))).not.toContain("CLIPSetLastLayer");
  });

  test("a diffusion model alone is Flux for a request with a distilled scale", async () => {
    const body = { cfg_scale: 1, distilled_cfg_scale: 3.5, ...modules(...FLUX_MODULES) };
    expect(classesIn(await graphThere("flux1-dev", body))).toContain("FluxGuidance");
    await expect(graphThere("flux1-dev", modules(...FLUX_MODULES))).rejects.toThrow("cannot be read on this engine");
  });
});
