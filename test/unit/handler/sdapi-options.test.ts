import { expect, test } from "vitest";
import { parseTxt2Img } from "../../../handler/request/sdapi/txt2img.ts";
import { SdapiOptions } from "../../../handler/sdapi-options.ts";
import { ModelFiles } from "../../../runtime/model-files.ts";
import recorded from "../../fixtures/sdapi/get-routes.json" with { type: "json" };
import { loadCatalogue } from "../../support/catalogue.ts";
import { thrownBy } from "../../support/thrown.ts";

const catalogue = await loadCatalogue(["one.safetensors", "sub/two.ckpt"]);
const inventory = { catalogue, models: new ModelFiles(() => ({})), isFresh: true };
const describe = (file: string) => ({ title: `${file} [0123456789]`, sha256: "01".repeat(32) });
const ofThisWorker = { sd_model_checkpoint: "one.safetensors [0123456789]", sd_checkpoint_hash: "01".repeat(32) };

test("the defaults are A1111's, in its order", () => {
  const all = new SdapiOptions().all(catalogue, describe);
  expect(Object.keys(all)).toEqual(Object.keys(recorded.options));
  expect(all).toEqual({ ...recorded.options, ...ofThisWorker });
});

test("without a checkpoint there is no title", async () => {
  const all = new SdapiOptions().all(await loadCatalogue([]), describe);
  expect(all).toMatchObject({ sd_model_checkpoint: null, sd_checkpoint_hash: "" });
});

test("the whole object can be sent back, and changes nothing", () => {
  const options = new SdapiOptions();
  const before = options.all(catalogue, describe);
  expect(options.set(before, inventory)).toEqual([]);
  expect(options.all(catalogue, describe)).toEqual(before);
});

test.each(["sub/two.ckpt [0123456789]", "two", "sub_two"])("the checkpoint %j is followed by requests", (title) => {
  const options = new SdapiOptions();
  expect(options.set({ sd_model_checkpoint: title }, inventory)).toEqual([]);
  expect(options.followed).toEqual({ sd_model_checkpoint: "sub/two.ckpt" });
  expect(options.all(catalogue, describe)).toMatchObject({ sd_model_checkpoint: "sub/two.ckpt [0123456789]" });
  options.set({ sd_model_checkpoint: null }, inventory);
  expect(options.all(catalogue, describe)).toMatchObject(ofThisWorker);
});

test("requests follow every option that they might set for themselves", () => {
  const options = new SdapiOptions();
  const values = { CLIP_stop_at_last_layers: 2, samples_format: "jpg", eta_ancestral: 0.5, emphasis: "None" };
  expect(options.set({ ...values, font: "x" }, inventory)).toEqual(["font"]);
  expect(options.followed).toEqual(values);
  expect(options.idle).toEqual([]);
  expect(options.all(catalogue, describe)).toMatchObject({ ...values, font: "x" });
});

test("what cannot be honoured is kept, shown and named, and no request fails by it", () => {
  const options = new SdapiOptions();
  const values = { tiling: true, emphasis: "No norm", outdir_samples: "x" };
  expect(options.set(values, inventory)).toEqual(["tiling", "emphasis", "outdir_samples"]);
  expect(options.idle).toEqual(["tiling", "emphasis"]);
  expect(options.all(catalogue, describe)).toMatchObject(values);
  const worker = { options: options.followed, idleOptions: options.idle };
  expect(() => parseTxt2Img({}, worker)).not.toThrow();
  options.set({ tiling: false, emphasis: "Original" }, inventory);
  expect(options.idle).toEqual([]);
});

test.each<[values: object, code: string, text: string]>([
  [{ nope: 1, font: "x" }, "invalid_request", "nope"],
  [{ sd_model_checkpoint: "nope", font: "x" }, "unknown_model", "sub/two.ckpt"],
  [{ sd_model_checkpoint: "", font: "x" }, "unknown_model", "model '' not found"],
  [{ sd_vae: "nope", font: "x" }, "unknown_model", "VAE 'nope' not found"],
  [{ samples_format: "gif", font: "x" }, "invalid_request", "samples_format: Invalid image format"],
  [
    { CLIP_stop_at_last_layers: 100, font: "x" },
    "invalid_request",
    "CLIP_stop_at_last_layers: ensure this value is less than or equal to 24",
  ],
])("%j is refused, and nothing of it taken", (values, code, text) => {
  const options = new SdapiOptions();
  const refusal = thrownBy(() => options.set(values as Record<string, unknown>, inventory));
  expect(refusal).toMatchObject({ code, message: expect.stringContaining(text) });
  expect(options.all(catalogue, describe)).toMatchObject({ font: "" });
});
