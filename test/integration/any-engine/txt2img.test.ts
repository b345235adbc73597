/** A1111's txt2img in all its forms: the engine accepts every graph and draws it. */
import { beforeAll, expect, test } from "vitest";
import { parseTxt2Img } from "../../../handler/request/sdapi/txt2img.ts";
import { loadInventory } from "../../support/catalogue.ts";
import type { RunningEndpoint } from "../../support/endpoint.ts";
import { quickTxt2Img } from "../../support/payloads.ts";
import { draw, sharedEndpoint } from "../../support/sdapi.ts";
import { EXACT_SHAPES, ONE_CHECKPOINT_SHAPES, REFINER, TWO_CHECKPOINT_SHAPES } from "../../support/txt2img-shapes.ts";

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint((running) => {
    endpoint = running;
  }),
);

const txt2img = (body: object) => draw(endpoint, "txt2img", body);

test.each(Object.entries({ ...ONE_CHECKPOINT_SHAPES, ...EXACT_SHAPES }))("%s", async (_, body) => {
  const { pictures } = await txt2img(body);
  const { batch_size = 1, n_iter = 1 } = body as { batch_size?: number; n_iter?: number };
  expect(pictures).toHaveLength(batch_size * n_iter);
});

/** With one checkpoint in both places: the engine may have no other. */
test.each(Object.entries(TWO_CHECKPOINT_SHAPES))("%s", async (_, body) => {
  const checkpoint = "tiny-sd15.safetensors";
  const { graph } = await parseTxt2Img(body).build(await loadInventory([checkpoint, REFINER]));
  const response = await endpoint.post("/prompt", JSON.stringify({ prompt: graph }).replaceAll(REFINER, checkpoint));
  expect(response.status, await response.text()).toBe(200);
});

test("Forge's scale of a second pass counts, comes back from the infotext, and a VAE of its own is told", async () => {
  const body = quickTxt2Img({ prompt: "a fox", seed: 3, enable_hr: true, denoising_strength: 0.7, hr_scale: 1.5 });
  const own = { hr_cfg: 2, hr_additional_modules: ["tiny-vae"] };
  const [same, scaled, both] = await Promise.all(
    [{}, { hr_cfg: 2 }, own].map((fields) => txt2img({ ...body, ...fields })),
  );
  expect(same!.pictures[0]!.data.equals(scaled!.pictures[0]!.data)).toBe(false);
  expect(both!.info["extra_generation_params"]).toMatchObject({ "Hires CFG Scale": 2, "Hires Module 1": "tiny-vae" });
  const infotext = (scaled!.info["infotexts"] as string[])[0];
  const again = await txt2img({ infotext, width: body["width"], height: body["height"] });
  expect(again.pictures[0]!.data.equals(scaled!.pictures[0]!.data)).toBe(true);
});

test("hires fix gives A1111's size, and names its settings", async () => {
  const body = { width: 128, enable_hr: true, denoising_strength: 0.5, hr_resize_x: 100, hr_resize_y: 100 };
  const { pictures, info } = await txt2img(quickTxt2Img(body));
  expect([pictures[0]!.width, pictures[0]!.height]).toEqual([104, 96]);
  expect(info).toMatchObject({ width: 128, height: 64, extra_generation_params: { "Hires resize": "100x100" } });
});

test("prompts that mean the same give the same picture, and others another", async () => {
  const dataOf = async (prompt: string) => (await txt2img(quickTxt2Img({ prompt, steps: 4 }))).pictures[0]!.data;
  const plain = await dataOf("a (cat:1.21)");
  expect(plain.equals(await dataOf("a (cat)"))).toBe(false);
  expect(plain.equals(await dataOf("a ((cat))"))).toBe(true);
  expect(plain.equals(await dataOf("a ([cat:cat:0.5]:1.21)"))).toBe(true);
  expect((await dataOf("a cat <lora:tiny-lora:1>")).equals(await dataOf("a cat"))).toBe(false);
});

test("an unknown LoRA or embedding is refused with what there is", async () => {
  for (const [prompt, available] of [
    ["a <lora:nope:1>", "tiny-lora"],
    ["a embedding:nope", "tiny-embedding"],
  ]) {
    const response = await endpoint.post("/sdapi/v1/txt2img", quickTxt2Img({ prompt }));
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    const text = await response.text();
    expect(text).toContain("nope");
    expect(text).toContain(available);
  }
});
