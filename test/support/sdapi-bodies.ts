/** Requests as A1111's clients write them, one of a kind, and what is to come of each. */
import { standInPicture } from "./stand-in-pictures.ts";

export interface SdapiBody {
  what: string;
  route: "txt2img" | "img2img" | "extra-single-image";
  body: Record<string, unknown>;
  /** Sizes of the pictures; none for a request that is refused. */
  sizes?: [width: number, height: number][];
  /** Nodes that its graph has, with some of their inputs. */
  nodes?: [classType: string, inputs: Record<string, unknown>][];
  /** Size of an upscaled picture. */
  enlarged?: [width: number, height: number];
  /** Status and words of a refusal. */
  refused?: [status: number, text: RegExp];
}

const WEBUIAPI = {
  ...{ enable_hr: false, hr_scale: 2, hr_upscaler: "Latent", hr_second_pass_steps: 0, hr_resize_x: 0, hr_resize_y: 0 },
  ...{ hr_checkpoint_name: null, hr_sampler_name: null, hr_scheduler: null, hr_prompt: "", hr_negative_prompt: "" },
  ...{ denoising_strength: 0.7, firstphase_width: 0, firstphase_height: 0, prompt: "cute squirrel", styles: [] },
  ...{
    seed: -1,
    subseed: -1,
    subseed_strength: 0,
    seed_resize_from_h: 0,
    seed_resize_from_w: 0,
    batch_size: 1,
    n_iter: 1,
  },
  ...{
    steps: 20,
    cfg_scale: 7,
    width: 512,
    height: 512,
    restore_faces: false,
    tiling: false,
    do_not_save_samples: false,
  },
  ...{ do_not_save_grid: false, negative_prompt: "", eta: 1, s_churn: 0, s_tmax: 0, s_tmin: 0, s_noise: 1 },
  ...{
    override_settings: {},
    override_settings_restore_afterwards: true,
    sampler_name: "Euler a",
    scheduler: "automatic",
  },
  ...{ sampler_index: "Euler a", script_name: null, script_args: [], send_images: true, save_images: false },
};

const FACE = (await standInPicture("@img512x512")) as string;
const WIDE = (await standInPicture("@img1600x1200")) as string;
const WIDE_MASK = (await standInPicture("@mask1600x1200 white(600,400,900,700)")) as string;
const MASK = (await standInPicture("@mask512 white(128,128,384,384)")) as string;
const CANNY = { module: "canny", model: "control_v11p_sd15_canny [d14c016b]", weight: 1, guidance: 1, lowvram: false };

/** In the words of their writers; models have the names of their worlds, see {@link withModels}. */
export const SDAPI_BODIES: readonly SdapiBody[] = [
  {
    what: "the smallest: A1111's API defaults, and a random seed",
    route: "txt2img",
    body: { prompt: "maltese puppy", steps: 5 },
    sizes: [[512, 512]],
    nodes: [["KSampler", { sampler_name: "euler", scheduler: "normal", cfg: 7, steps: 5 }]],
  },
  {
    what: "an old sampler name, another checkpoint, LoRAs in a list",
    route: "txt2img",
    body: {
      ...{ prompt: "a castle", width: 1024, height: 1024, steps: 20, sampler_name: "DPM++ 2M Karras", seed: 42 },
      override_settings: { sd_model_checkpoint: "v1-5-pruned-emaonly" },
      loras: [{ name: "x.safetensors", strength_model: 0.8, strength_clip: 0.8 }],
    },
    sizes: [[1024, 1024]],
    nodes: [
      ["LoraLoader", { strength_model: 0.8, strength_clip: 0.8 }],
      ["KSampler", { sampler_name: "dpmpp_2m", scheduler: "karras", seed: 42 }],
    ],
  },
  {
    what: "webuiapi's defaults",
    route: "txt2img",
    body: { ...WEBUIAPI, alwayson_scripts: { ADetailer: { args: [false] } } },
    sizes: [[512, 512]],
    nodes: [["KSampler", { sampler_name: "euler_ancestral", scheduler: "normal" }]],
  },
  {
    what: "SillyTavern: saves its pictures, and gets no grid",
    route: "txt2img",
    body: {
      ...{
        prompt: "a fox",
        steps: 20,
        width: 512,
        height: 512,
        scheduler: "karras",
        hr_upscaler: "Latent",
        clip_skip: 1,
      },
      ...{ save_images: true, do_not_save_grid: false, override_settings: { CLIP_stop_at_last_layers: 1 } },
    },
    sizes: [[512, 512]],
    nodes: [["KSampler", { sampler_name: "euler", scheduler: "karras" }]],
  },
  {
    what: "Open WebUI: two pictures, of seeds s and s + 1",
    route: "txt2img",
    body: { prompt: "a fox", batch_size: 2, width: 512, height: 512, steps: 50, negative_prompt: "" },
    sizes: [
      [512, 512],
      [512, 512],
    ],
  },
  {
    what: "aiyabot: four pictures in order",
    route: "txt2img",
    body: {
      ...{ prompt: "a fox", negative_prompt: "", steps: 30, width: 512, height: 512, cfg_scale: "7.0", seed: 5 },
      ...{ sampler_index: "DPM++ 2M Karras", seed_resize_from_h: -1, seed_resize_from_w: -1, denoising_strength: null },
      ...{ n_iter: 2, batch_size: 2, styles: ["None"] },
    },
    sizes: [
      [512, 512],
      [512, 512],
      [512, 512],
      [512, 512],
    ],
    nodes: [5, 6, 7, 8].map((seed) => ["KSampler", { seed, sampler_name: "dpmpp_2m", scheduler: "karras" }]),
  },
  {
    what: "hires fix by a model",
    route: "txt2img",
    body: {
      ...{ prompt: "a tower", width: 512, height: 768, enable_hr: true, hr_scale: 2, hr_upscaler: "R-ESRGAN 4x+" },
      ...{ hr_second_pass_steps: 15, denoising_strength: 0.35, steps: 20 },
    },
    sizes: [[1024, 1536]],
    nodes: [
      ["ImageUpscaleWithModel", {}],
      ["KSampler", { steps: 15, denoise: 0.35 }],
    ],
  },
  {
    what: "hires fix with numbers as texts",
    route: "txt2img",
    body: {
      ...{ prompt: "(Masterpiece:1.1), (a fox:1)", enable_hr: true, hr_scale: "1.0", hr_upscaler: "ESRGAN_4x" },
      ...{ denoising_strength: 0.61, steps: 32, seed: "-1", width: 512, height: 512 },
    },
    sizes: [[512, 512]],
    nodes: [["KSampler", { steps: 32, denoise: 0.61 }]],
  },
  {
    what: "SDXL with refiner and VAE",
    route: "txt2img",
    body: {
      ...{ prompt: "a hill", negative_prompt: "", width: 1024, height: 1024, steps: 30, sampler_name: "DPM++ SDE" },
      ...{ scheduler: "karras", refiner_checkpoint: "sd_xl_refiner_1.0", refiner_switch_at: 0.8 },
      override_settings: { sd_model_checkpoint: "sd_xl_base_1.0", sd_vae: "sdxl_vae.safetensors" },
    },
    sizes: [[1024, 1024]],
    nodes: [
      ["VAELoader", {}],
      ["KSamplerAdvanced", { add_noise: "enable", return_with_leftover_noise: "enable", start_at_step: 0 }],
      ["KSamplerAdvanced", { add_noise: "disable", return_with_leftover_noise: "disable" }],
    ],
  },
  {
    what: "img2img by a data URI",
    route: "img2img",
    body: {
      init_images: [`data:image/png;base64,${FACE}`],
      ...{ prompt: "a face", denoising_strength: 0.6, steps: 20, width: 512, height: 512 },
    },
    sizes: [[512, 512]],
    nodes: [["KSampler", { steps: 13, denoise: 13 / 20.5 }]],
  },
  {
    what: "inpainting, only masked: the picture keeps its size",
    route: "img2img",
    body: {
      ...{ init_images: [WIDE], mask: WIDE_MASK, inpaint_full_res: true, inpaint_full_res_padding: 32, mask_blur: 4 },
      ...{ inpainting_fill: 1, width: 512, height: 512, prompt: "a hat", steps: 20 },
    },
    sizes: [[1600, 1200]],
    nodes: [["SetLatentNoiseMask", {}]],
  },
  {
    what: "inpainting, whole picture, filled, around the mask",
    route: "img2img",
    body: {
      ...{ init_images: [FACE], mask: MASK, inpaint_full_res: false, inpainting_fill: 0, inpainting_mask_invert: 1 },
      ...{ resize_mode: 1, width: 768, height: 768, prompt: "a garden", steps: 20 },
    },
    sizes: [[768, 768]],
    nodes: [["SetLatentNoiseMask", {}]],
  },
  {
    what: "ControlNet, in the words of its older versions",
    route: "txt2img",
    body: {
      ...{ prompt: "a house", steps: 20, width: 512, height: 512 },
      alwayson_scripts: {
        controlnet: { args: [{ ...CANNY, input_image: FACE, processor_res: 512, threshold_a: 75, threshold_b: 75 }] },
      },
    },
    sizes: [[512, 512]],
    nodes: [["ControlNetLoader", {}]],
  },
  {
    what: "ADetailer",
    route: "txt2img",
    body: {
      prompt: "a face",
      alwayson_scripts: {
        ADetailer: { args: [true, false, { ad_model: "face_yolov8n.pt", ad_denoising_strength: 0.4 }] },
      },
    },
    refused: [422, /ADetailer/],
  },
  {
    what: "a prompt with all of A1111's syntax",
    route: "txt2img",
    body: {
      prompt:
        "masterpiece, ((best quality)), [blurry] <lora:add_detail:0.6> <lora:style:0.5:0.8> BREAK 1girl \\(solo\\) AND castle :0.7, [cat:dog:0.5]",
      ...{ steps: 30, scheduler: "Karras", override_settings: { CLIP_stop_at_last_layers: 2 } },
    },
    sizes: [[512, 512]],
    nodes: [
      ["LoraLoader", { strength_clip: 0.6, strength_model: 0.6 }],
      ["LoraLoader", { strength_clip: 0.5, strength_model: 0.8 }],
      ["CLIPSetLastLayer", { stop_at_clip_layer: -2 }],
      ["ConditioningConcat", {}],
      ["ConditioningSetTimestepRange", {}],
    ],
  },
  {
    what: "the example of A1111's documentation page",
    route: "txt2img",
    body: {
      ...{ prompt: "a fox", sampler_name: "string", scheduler: "string", refiner_checkpoint: "string" },
      ...{ script_name: "string", styles: ["string"], s_noise: 0, eta: 0, refiner_switch_at: 0 },
      ...{ initial_noise_multiplier: 0, steps: 20 },
    },
    sizes: [[512, 512]],
    nodes: [["KSampler", { sampler_name: "euler", scheduler: "normal" }]],
  },
  {
    what: "Flux in Forge's words",
    route: "txt2img",
    body: {
      ...{ prompt: "a fox", cfg_scale: 1, distilled_cfg_scale: 3.5, sampler_name: "Euler", scheduler: "Simple" },
      override_settings: {
        sd_model_checkpoint: "flux1-dev.safetensors",
        forge_additional_modules: ["ae.safetensors", "clip_l.safetensors", "t5xxl_fp8_e4m3fn.safetensors"],
      },
    },
    // No engine for tests has it: its graph is held in models.test.ts.
    refused: [404, /(model 'flux1-dev.safetensors' not found|is called 'ae.safetensors')/],
  },
  {
    what: "upscaling by a model",
    route: "extra-single-image",
    body: { image: FACE, upscaling_resize: 4, upscaler_1: "4x-UltraSharp", gfpgan_visibility: 0 },
    enlarged: [2048, 2048],
  },
  { what: "a text for a number", route: "txt2img", body: { steps: "abc" }, refused: [422, /not a valid integer/] },
  { what: "no such sampler", route: "txt2img", body: { sampler_name: "Foo" }, refused: [404, /Sampler not found/] },
  { what: "no picture to start from", route: "img2img", body: {}, refused: [404, /Init image not found/] },
  { what: "a broken picture", route: "img2img", body: { init_images: ["garbage"] }, refused: [400, /Invalid encoded/] },
  { what: "tiling", route: "txt2img", body: { tiling: true }, refused: [422, /tiling/] },
  { what: "a script", route: "txt2img", body: { script_name: "X/Y/Z plot" }, refused: [422, /script_name|Script/] },
  {
    what: "no such checkpoint",
    route: "txt2img",
    body: { override_settings: { sd_model_checkpoint: "nope" } },
    refused: [404, /model 'nope' not found/],
  },
];

/** The models of these bodies, and those that an engine for tests has in their place. */
const MODELS: Record<string, string> = {
  "v1-5-pruned-emaonly": "tiny-sd15",
  "sd_xl_base_1.0": "tiny-sd15",
  "sd_xl_refiner_1.0": "tiny-sd15-inpaint",
  "sdxl_vae.safetensors": "tiny-vae.safetensors",
  "x.safetensors": "tiny-lora.safetensors",
  "control_v11p_sd15_canny [d14c016b]": "tiny-controlnet",
  "<lora:add_detail:": "<lora:tiny-lora:",
  "<lora:style:": "<lora:tiny-lora:",
  "R-ESRGAN 4x+": "tiny-2x",
  ESRGAN_4x: "tiny-2x",
  "4x-UltraSharp": "tiny-2x",
};

/** The body with models that are there; nothing else of it changes. */
export function withModels(body: Record<string, unknown>): Record<string, unknown> {
  const text = Object.entries(MODELS).reduce(
    (before, [name, ours]) => before.replaceAll(JSON.stringify(name).slice(1, -1), ours),
    JSON.stringify(body),
  );
  return JSON.parse(text) as Record<string, unknown>;
}
