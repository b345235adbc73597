/** Checkpoints with nine channels: they are told of mask and picture, as by A1111. */
import { beforeAll, describe, expect, test } from "vitest";
import type { RunningEndpoint } from "../support/endpoint.ts";
import { decode, type Pixels } from "../support/pictures.ts";
import { draw, sharedEndpoint } from "../support/sdapi.ts";
import { standInPicture } from "../support/stand-in-pictures.ts";

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint((running) => {
    endpoint = running;
  }),
);

const PICTURE = (await standInPicture("@img96x64")) as string;
/** White: 42 to 57 across, 24 to 40 down; on no border of the latent's cells. */
const MASK = (await standInPicture("@mask96x64 white(42,24,57,40)")) as string;
const original = await decode(Buffer.from(PICTURE, "base64"));

const MODEL = { sd_model_checkpoint: "tiny-sd15-inpaint" };
const QUICK = { prompt: "a fox", steps: 3, seed: 7, width: 96, height: 64 };
const START = { init_images: [PICTURE], denoising_strength: 1 };
const INPAINT = { ...START, mask: MASK, mask_blur: 0, inpainting_fill: 1, inpaint_full_res: false };

const drawn = (route: "txt2img" | "img2img", body: object, options: object = {}) =>
  draw(endpoint, route, { ...QUICK, ...body, override_settings: { ...MODEL, ...options } });
const pictureOf = async (...parameters: Parameters<typeof drawn>) => (await drawn(...parameters)).pictures[0]!;

function changesOutside({ data }: Pixels): number {
  let changes = 0;
  for (let at = 0; at < data.length; at += 3) {
    const [x, y] = [(at / 3) % 96, Math.floor(at / 3 / 96)];
    const isInside = x >= 42 && x < 57 && y >= 24 && y < 40;
    if (!isInside && !data.subarray(at, at + 3).equals(original.data.subarray(at, at + 3))) changes++;
  }
  return changes;
}

test("txt2img, and its second pass", async () => {
  const { info, pictures } = await drawn("txt2img", {});
  expect(info["is_using_inpainting_conditioning"]).toBe(true);
  expect(info.infotexts[0]).toContain("Model: tiny-sd15-inpaint, Conditional mask weight: 1.0");
  expect([pictures[0]!.width, pictures[0]!.height]).toEqual([96, 64]);
  const hires = await pictureOf("txt2img", {
    enable_hr: true,
    hr_scale: 2,
    denoising_strength: 0.5,
    hr_upscaler: "Latent",
  });
  expect([hires.width, hires.height]).toEqual([192, 128]);
});

test("img2img without a mask: all is masked, unless the mask's weight is less", async () => {
  const { info } = await drawn("img2img", START, { inpainting_mask_weight: 0.5 });
  expect(info.infotexts[0]).toContain("Conditional mask weight: 0.5");
  const [whole, half] = [
    await pictureOf("img2img", START),
    await pictureOf("img2img", START, { inpainting_mask_weight: 0.5 }),
  ];
  expect(whole.data.equals(half.data)).toBe(false);
});

describe.each([{ inpaint_full_res: false }, { inpaint_full_res: true, inpaint_full_res_padding: 8, width: 64 }])(
  "inpainting, %j",
  (area) => {
    const inpaint = (body: object = {}, options: object = {}) =>
      pictureOf("img2img", { ...INPAINT, ...area, ...body }, options);

    test("leaves what is not masked", async () => {
      const picture = await inpaint();
      expect([picture.width, picture.height]).toEqual([96, 64]);
      expect(picture.data.equals(original.data)).toBe(false);
      expect(changesOutside(picture)).toBe(0);
    });

    test("the checkpoint sees how much is hidden, and a mask that is not rounded", async () => {
      const pictures = await Promise.all([
        inpaint({ mask_blur: 6 }),
        inpaint({ mask_blur: 6 }, { inpainting_mask_weight: 0.25 }),
        inpaint({ mask_blur: 6, mask_round: false }),
        inpaint({ mask_blur: 6 }, { sd_model_checkpoint: "tiny-sd15" }),
      ]);
      expect(new Set(pictures.map(({ data }) => data.toString("base64"))).size).toBe(4);
    });
  },
);

test("softly, with a refiner", async () => {
  const { pictures } = await drawn("img2img", {
    ...INPAINT,
    alwayson_scripts: { "soft inpainting": { args: [true] } },
    refiner_checkpoint: "tiny-sd15",
    refiner_switch_at: 0.5,
  });
  expect(pictures).toHaveLength(1);
});

test("a picture that is stretched as a latent is refused, which A1111 fails on", async () => {
  const body = { ...QUICK, ...INPAINT, resize_mode: 3, width: 128, override_settings: MODEL };
  const response = await endpoint.post("/sdapi/v1/img2img", body);
  const text = await response.text();
  expect([response.status, text]).toEqual([422, expect.stringContaining("3 with an inpainting checkpoint")]);
});

test("with a hard mask on the cells' borders it is what ComfyUI's own node tells", async () => {
  const node = (class_type: string, inputs: object) => ({ class_type, inputs });
  const graph = (model: string, conditioning: string) => ({
    "1": node("CheckpointLoaderSimple", { ckpt_name: "tiny-sd15-inpaint.safetensors" }),
    "2": node("CLIPTextEncode", { clip: ["1", 1], text: "a fox" }),
    "3": node("EmptyImage", { width: 64, height: 64, batch_size: 1, color: 0x3060c0 }),
    "4": node("SolidMask", { value: 0, width: 64, height: 64 }),
    "5": node("SolidMask", { value: 1, width: 32, height: 64 }),
    "6": node("MaskComposite", { destination: ["4", 0], source: ["5", 0], x: 16, y: 0, operation: "add" }),
    "7": node("ComfyEndpointInpaintModel", {
      model: ["1", 0],
      vae: ["1", 2],
      pixels: ["3", 0],
      mask: ["6", 0],
      weight: 1,
    }),
    "8": node("InpaintModelConditioning", {
      ...{ positive: ["2", 0], negative: ["2", 0], vae: ["1", 2], pixels: ["3", 0], mask: ["6", 0], noise_mask: false },
    }),
    "9": node("KSampler", {
      ...{ model: [model, 0], positive: [conditioning, 0], negative: [conditioning, 0], latent_image: ["8", 2] },
      ...{ seed: 1, steps: 3, cfg: 4, sampler_name: "euler", scheduler: "normal", denoise: 1 },
    }),
    "10": node("VAEDecode", { samples: ["9", 0], vae: ["1", 2] }),
    "11": node("SaveImage", { images: ["10", 0], filename_prefix: "x" }),
  });
  const draw = async (model: string, conditioning: string) => {
    const response = await endpoint.post("/prompt", { prompt: graph(model, conditioning) });
    const answer = await response.text();
    expect(response.status, answer).toBe(200);
    const { images } = JSON.parse(answer) as { images: string[] };
    return (await decode(Buffer.from(images[0]!, "base64"))).data;
  };
  const [ours, core, none] = [await draw("7", "2"), await draw("1", "8"), await draw("1", "2")];
  expect(ours.equals(core)).toBe(true);
  expect(ours.equals(none)).toBe(false);
});
