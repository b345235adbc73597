import { createHash } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Inventory } from "../../../../../handler/request/request.ts";
import { findCheckpoint, findOtherCheckpoint, titleOf } from "../../../../../handler/request/sdapi/checkpoints.ts";
import { describeEmbedding } from "../../../../../handler/request/sdapi/embeddings.ts";
import { describeLora, findLora } from "../../../../../handler/request/sdapi/loras.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import { readSafetensorsHeader } from "../../../../../runtime/safetensors.ts";
import recorded from "../../../../fixtures/sdapi/infotext.json" with { type: "json" };
import { completed, output } from "../../../../support/completed.ts";
import { HEADERS } from "../../../../support/model-headers.ts";
import { inventoryOf } from "../../../../support/model-inventory.ts";
import { safetensorsFile } from "../../../../support/safetensors.ts";
import { thrownBy } from "../../../../support/thrown.ts";

const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");
const lora = (notes: object = {}, data = "tensors") => safetensorsFile(HEADERS.lora, { ...notes }, data);

describe("a checkpoint is found", () => {
  const FILES = {
    "checkpoints/sub/one.v2.safetensors": "one",
    "checkpoints/two.ckpt": "two",
    "checkpoints/0123456789.ckpt": "named like a hash",
    "diffusion_models/bare.safetensors": "bare",
  };
  const ONE = sha256("one");
  const found = async (title: unknown) => {
    const inventory = await inventoryOf(FILES);
    for (const file of ["sub/one.v2.safetensors", "two.ckpt"]) inventory.models.sha256("checkpoints", file);
    await inventory.models.settled();
    return findCheckpoint(title, inventory).file;
  };

  test.each([
    "sub/one.v2.safetensors",
    "sub\\one.v2.safetensors",
    "one.v2.safetensors",
    "sub/one.v2",
    "one.v2",
    "ONE.V2",
    "sub_one.v2",
    `sub/one.v2.safetensors [${ONE.slice(0, 10)}]`,
    `one.v2 [${ONE.slice(0, 10)}]`,
    "one.v2 [81761151]",
    ONE.slice(0, 10),
    ONE,
    ONE.toUpperCase(),
  ])("as %j", async (title) => {
    expect(await found(title)).toBe("sub/one.v2.safetensors");
  });

  test("by its own name before another's hash, among diffusion models too, and first where none is named", async () => {
    expect(await found("0123456789")).toBe("0123456789.ckpt");
    expect(await found("bare")).toBe("bare.safetensors");
    for (const none of [undefined, null, ""]) expect(await found(none)).toBe("sub/one.v2.safetensors");
  });

  test.each(["one", "ffffffffff", 5, ONE.slice(0, 9)])("but not as %j", async (title) => {
    await expect(found(title)).rejects.toMatchObject({
      code: "unknown_model",
      message: expect.stringMatching(/'.*' not found.*two\.ckpt.*bare\.safetensors/),
    });
  });

  test("as a second one by a part of its name too, of the shortest first, with or without a hash", async () => {
    const inventory = await inventoryOf(FILES);
    const other = (title: string) => findOtherCheckpoint("refiner_checkpoint", title, inventory).file;
    expect(other("one.v")).toBe("sub/one.v2.safetensors");
    expect(other("TW [0123456789]")).toBe("two.ckpt");
    expect(thrownBy(() => other("nope"))).toMatchObject({
      code: "unknown_model",
      message: expect.stringContaining("Could not find checkpoint with name nope"),
    });
  });

  test("with a title that has its hash as soon as that is known", async () => {
    const { models } = await inventoryOf(FILES);
    const model = { folder: "checkpoints", file: "two.ckpt" } as const;
    expect(titleOf(model, models)).toBe("two.ckpt");
    await models.settled();
    expect(titleOf(model, models)).toBe(`two.ckpt [${sha256("two").slice(0, 10)}]`);
  });
});

describe("a LoRA is found", () => {
  const FILES = {
    "loras/sub/style.safetensors": lora({ ss_output_name: "painted" }),
    "loras/Other.safetensors": lora({ ss_output_name: "style" }),
    "loras/twin.safetensors": lora({ ss_output_name: "pair" }),
    "loras/twin2.safetensors": lora({ ss_output_name: "pair" }),
    "loras/nobody.safetensors": lora({ ss_output_name: "None" }),
    "loras/old.pt": "a pickle",
  };
  test.each([
    ["style", "sub/style.safetensors", "its own name comes before another's alias"],
    ["painted", "sub/style.safetensors", "its alias"],
    ["sub/style", "sub/style.safetensors", "its path"],
    ["other", "Other.safetensors", "its name in another case"],
    ["old", "old.pt", "the name of a pickle"],
  ])("as %s: %s, %s", async (name, file) => {
    expect(await findLora("prompt", name, await inventoryOf(FILES))).toBe(file);
  });

  test.each(["pair", "None", "Painted", "nope"])("but not as %s", async (name) => {
    await expect(findLora("prompt", name, await inventoryOf(FILES))).rejects.toMatchObject({
      code: "unknown_model",
      message: expect.stringContaining(`Lora not found: ${name}; there are: sub/style.safetensors`),
    });
  });
});

describe("A1111's lists", () => {
  test("tell a LoRA's alias and notes, the telling ones first, with objects unpacked", async () => {
    const notes = {
      other: "1",
      ss_tag_frequency: '{"cats": {"cat": 3}}',
      ss_output_name: "painted",
      ss_sd_model_name: "base",
      broken: "{no",
    };
    const { root } = await inventoryOf({ "loras/a.safetensors": lora(notes) });
    const header = await readSafetensorsHeader(join(root, "loras/a.safetensors"));
    const item = describeLora("sub/a.safetensors", "/path", header);
    expect(item).toEqual({
      name: "a",
      alias: "painted",
      path: "/path",
      metadata: { ...notes, ss_tag_frequency: { cats: { cat: 3 } } },
    });
    expect(Object.keys(item.metadata).slice(0, 2)).toEqual(["ss_sd_model_name", "ss_tag_frequency"]);
    expect(describeLora("b.pt", "/path", undefined)).toEqual({ name: "b", alias: "b", path: "/path", metadata: {} });
  });

  test.each<[string, string | Buffer, number | null, number | null]>([
    ["a.safetensors", safetensorsFile({ emb_params: [3, 768] }), 768, 3],
    ["b.safetensors", safetensorsFile({ clip_l: [2, 768], clip_g: [2, 1280] }), 2048, 2],
    ["c.safetensors", safetensorsFile({ "<token>": [1024] }), 1024, 1],
    ["d.safetensors", safetensorsFile({ one: [1, 768], two: [1, 768] }), null, null],
    ["e.pt", "a pickle", null, null],
  ])("tell the size of the embedding %s", async (file, content, shape, vectors) => {
    const { models } = await inventoryOf({ [`embeddings/${file}`]: content });
    expect(await describeEmbedding(file.replace(/\..*/, ""), models)).toEqual({
      step: null,
      sd_checkpoint: null,
      sd_checkpoint_name: null,
      shape,
      vectors,
    });
  });
});

describe("hashes in info and infotext", () => {
  async function infoOf(body: object, inventory: Inventory) {
    const { encode } = await parseTxt2Img({ prompt: "a fox", seed: 1, ...body }).build(inventory);
    const { info } = encode(completed([output()])) as { info: string };
    return JSON.parse(info) as Record<string, unknown> & {
      infotexts: [string];
      extra_generation_params: Record<string, unknown>;
    };
  }
  const FILES = {
    "checkpoints/sd1.safetensors": safetensorsFile(HEADERS.sd1),
    "checkpoints/other.safetensors": safetensorsFile(HEADERS.sd1Inpainting),
    "vae/my.vae.safetensors": "a vae",
    "loras/noted.safetensors": lora({ sshs_model_hash: "ab".repeat(32) }),
    "loras/plain.safetensors": lora({}, "its tensors"),
    "embeddings/bad.pt": "an embedding",
  };
  const BODY = {
    prompt: "a fox <lora:noted:1> <lora:plain:0.5>",
    negative_prompt: "bad",
    refiner_checkpoint: "other",
    refiner_switch_at: 0.5,
    override_settings: { sd_model_checkpoint: "sd1", sd_vae: "my.vae" },
  };
  const SD1 = sha256(FILES["checkpoints/sd1.safetensors"]).slice(0, 10);
  const OTHER = sha256(FILES["checkpoints/other.safetensors"]).slice(0, 10);
  const VAE = sha256("a vae").slice(0, 10);

  test("are left out until they are known", async () => {
    const inventory = await inventoryOf(FILES);
    const before = await infoOf(BODY, inventory);
    expect(before).toMatchObject({ sd_model_hash: null, sd_vae_hash: null });
    expect(before.extra_generation_params).toMatchObject({
      "Lora hashes": `noted: ${"ab".repeat(6)}`,
      Refiner: "other",
    });
    expect(before.infotexts[0]).not.toMatch(/Model hash|VAE hash|TI hashes/);

    await inventory.models.settled();
    const after = await infoOf(BODY, inventory);
    expect(after).toMatchObject({ sd_model_hash: SD1, sd_vae_hash: VAE });
    const plain = sha256("its tensors").slice(0, 12);
    expect(after.infotexts[0]).toContain(`Model hash: ${SD1}, Model: sd1, VAE hash: ${VAE}, VAE: my.vae.safetensors`);
    expect(after.infotexts[0]).toContain(
      `Lora hashes: "noted: abababababab, plain: ${plain}", TI hashes: "bad: ${sha256("an embedding").slice(0, 12)}", Refiner: other [${OTHER}]`,
    );
  });

  test("are those of the file that is there now", async () => {
    const inventory = await inventoryOf(FILES);
    await infoOf(BODY, inventory);
    await inventory.models.settled();
    const replaced = safetensorsFile(HEADERS.sd2, {}, "more");
    writeFileSync(join(inventory.root, "checkpoints/sd1.safetensors"), replaced);
    expect(await infoOf(BODY, inventory)).toMatchObject({ sd_model_hash: null });
    await inventory.models.settled();
    expect(await infoOf(BODY, inventory)).toMatchObject({ sd_model_hash: sha256(replaced).slice(0, 10) });
    rmSync(join(inventory.root, "checkpoints/sd1.safetensors"));
    expect(await infoOf(BODY, inventory)).toMatchObject({ sd_model_hash: null });
  });

  test("an inpainting checkpoint says that it uses a mask, as A1111's do without one", async () => {
    const inventory = await inventoryOf(FILES);
    const inpainting = await infoOf({ override_settings: { sd_model_checkpoint: "other" } }, inventory);
    expect(inpainting).toMatchObject({ is_using_inpainting_conditioning: true });
    expect(inpainting.infotexts[0]).toContain("Conditional mask weight: 1.0");
    expect(await infoOf({}, inventory)).toMatchObject({ is_using_inpainting_conditioning: false });
  });

  /** What A1111 recorded, of files with the same notes. */
  const LORAS = {
    "checkpoints/sd1.safetensors": FILES["checkpoints/sd1.safetensors"],
    "loras/add_detail.safetensors": lora({ sshs_model_hash: "8959f8e61a8b" }),
    "loras/style.safetensors": lora({ sshs_model_hash: "edf8b8b2236d", ss_output_name: "style_alias" }),
    "loras/has, comma.safetensors": lora({ sshs_model_hash: "74a8ead9c41c" }),
  };
  const hashesIn = (infotext: string) => /Lora hashes: "([^"]*)"/.exec(infotext)?.[1];
  const ofLoras = (recorded.create as unknown as { name: string; request: object; infotexts?: string[] }[]).filter(
    ({ infotexts: [infotext = ""] = [] }) => hashesIn(infotext) !== undefined,
  );

  test.each(ofLoras)("of LoRAs are A1111's for: $name", async ({ request, infotexts }) => {
    const { infotexts: ours } = await infoOf(request, await inventoryOf(LORAS));
    expect(hashesIn(ours[0])).toBe(hashesIn(infotexts![0]!));
  });
});
