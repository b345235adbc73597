import { expect, test } from "vitest";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import { loadInventory } from "../../../../support/catalogue.ts";
import { completed, output } from "../../../../support/completed.ts";

const inventory = await loadInventory(["v1-5-pruned-emaonly.safetensors", "refiner.safetensors"]);

async function infoOf(body: object) {
  const given = { prompt: "a cat", negative_prompt: "blurry", steps: 8, seed: 42, ...body };
  const built = await parseTxt2Img(given).build(inventory);
  const { info } = built.encode(completed([output()])) as { info: string };
  return JSON.parse(info) as { extra_generation_params: Record<string, unknown>; prompt: string; clip_skip: number };
}

const HIRES = { enable_hr: true, denoising_strength: 0.5, hr_upscaler: "Latent" };
const PLAIN_HIRES = {
  "Denoising strength": 0.5,
  "Hires prompt": null,
  "Hires negative prompt": null,
  "Hires schedule type": null,
  "Hires upscale": 2,
  "Hires upscaler": "Latent",
};

/** As A1111 v1.10.1 answered, but for hashes and for names that it works out for the infotext only. */
test.each<[string, object, Record<string, unknown>]>([
  ["nothing", {}, {}],
  ["hires", HIRES, PLAIN_HIRES],
  ["hires prompt same", { ...HIRES, hr_prompt: "a cat" }, PLAIN_HIRES],
  ["hires prompt", { ...HIRES, hr_prompt: "a big cat" }, { ...PLAIN_HIRES, "Hires prompt": "a big cat" }],
  ["hires sampler", { ...HIRES, hr_sampler_name: "DDIM" }, { ...PLAIN_HIRES, "Hires sampler": "DDIM" }],
  ["hires sampler same", { ...HIRES, sampler_name: "Euler", hr_sampler_name: "Euler" }, PLAIN_HIRES],
  [
    "hires scheduler",
    { ...HIRES, sampler_name: "DPM++ 2M", scheduler: "Karras", hr_scheduler: "Exponential" },
    { ...PLAIN_HIRES, "Schedule type": "Karras", "Hires schedule type": "Exponential" },
  ],
  ["hires checkpoint", { ...HIRES, hr_checkpoint_name: "refiner" }, { ...PLAIN_HIRES, "Hires checkpoint": "refiner" }],
  [
    "Forge's of hires",
    { ...HIRES, hr_cfg: 5, hr_distilled_cfg: 3, hr_additional_modules: [] },
    { ...PLAIN_HIRES, "Hires CFG Scale": 5, "Hires Module 1": "Built-in" },
  ],
  [
    "refiner",
    { refiner_checkpoint: "refiner", refiner_switch_at: 0.8 },
    { Refiner: "refiner", "Refiner switch at": 0.8 },
  ],
  ["refiner no switch_at", { refiner_checkpoint: "refiner" }, { Refiner: "refiner", "Refiner switch at": null }],
  ["refiner None", { refiner_checkpoint: "None", refiner_switch_at: 0.8 }, {}],
  ["eta 0.5 euler a", { sampler_name: "Euler a", eta: 0.5 }, { Eta: 0.5 }],
  ["eta 1 euler a", { sampler_name: "Euler a", eta: 1 }, {}],
  ["eta 1 ddim", { sampler_name: "DDIM", eta: 1 }, { "Eta DDIM": 1 }],
  ["eta euler", { sampler_name: "Euler", eta: 0.5 }, {}],
])("%s", async (_, body, expected) => {
  const { extra_generation_params } = await infoOf(body);
  expect(Object.fromEntries(Object.entries(extra_generation_params).filter(([name]) => name in expected))).toEqual(
    expected,
  );
  expect(Object.keys(extra_generation_params).filter((name) => !(name in expected))).toEqual([]);
});

test("prompts are shown with their tags and without comments", async () => {
  const { prompt, clip_skip } = await infoOf({ prompt: "cat <lora:tiny-lora:0.5> # note", clip_skip: 2 });
  expect(prompt).toBe("cat <lora:tiny-lora:0.5> \n");
  expect(clip_skip).toBe(2);
});
