import { expect, test } from "vitest";
import { SdapiOptions } from "../../../handler/sdapi-options.ts";
import { ModelFiles } from "../../../runtime/model-files.ts";
import recorded from "../../fixtures/sdapi/get-routes.json" with { type: "json" };
import { loadCatalogue } from "../../support/catalogue.ts";
import { thrownBy } from "../../support/thrown.ts";

const catalogue = await loadCatalogue(["one.safetensors", "sub/two.ckpt"]);
const inventory = { catalogue, models: new ModelFiles(() => ({})) };
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

test("other options are kept, shown, and named as without effect", () => {
  const options = new SdapiOptions();
  expect(options.set({ CLIP_stop_at_last_layers: 2, samples_format: "png" }, inventory)).toEqual([
    "CLIP_stop_at_last_layers",
  ]);
  expect(options.all(catalogue, describe)).toMatchObject({ CLIP_stop_at_last_layers: 2 });
  expect(options.followed).toEqual({});
});

test.each<[values: object, code: string, text: string]>([
  [{ nope: 1, font: "x" }, "invalid_request", "nope"],
  [{ sd_model_checkpoint: "nope", font: "x" }, "unknown_model", "sub/two.ckpt"],
  [{ sd_model_checkpoint: "", font: "x" }, "unknown_model", "model '' not found"],
])("%j is refused, and nothing of it taken", (values, code, text) => {
  const options = new SdapiOptions();
  const refusal = thrownBy(() => options.set(values as Record<string, unknown>, inventory));
  expect(refusal).toMatchObject({ code, message: expect.stringContaining(text) });
  expect(options.all(catalogue, describe)).toMatchObject({ font: "" });
});
