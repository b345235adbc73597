import { describe, expect, test } from "vitest";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import { thrownBy } from "../../../../support/thrown.ts";

const AD = { ad_model: "face_yolov8n.pt" };

describe("a script that would do something is refused by name", () => {
  test.each<[body: object, message: string]>([
    [{ script_name: "nope" }, "Script 'nope' not found"],
    [{ script_name: 5 }, "Script '5' not found"],
    [{ script_name: "x/y/z plot" }, "Script 'X/Y/Z plot' is not available"],
    [{ script_name: "SD upscale" }, "Script 'SD upscale' not found"],
    [{ alwayson_scripts: { nope: { args: [1] } } }, "Script 'nope' not found"],
    [{ alwayson_scripts: { ADetailer: { args: [true, false, AD] } } }, "Script 'ADetailer' not found"],
    [{ alwayson_scripts: { nope: "x" } }, "Script 'nope' not found"],
    [{ alwayson_scripts: { nope: { args: "x" } } }, "Script 'nope' not found"],
    [{ alwayson_scripts: { nope: { args: [] } } }, "Script 'nope' not found"],
    [{ alwayson_scripts: { nope: {} } }, "Script 'nope' not found"],
  ])("%j", (body, message) => {
    expect(thrownBy(() => parseTxt2Img(body))).toMatchObject({ code: "unsupported_feature", message });
  });

  test("one to select is not for all requests", () => {
    const error = thrownBy(() => parseTxt2Img({ alwayson_scripts: { "X/Y/Z plot": { args: [] } } }));
    expect(error).toMatchObject({
      code: "invalid_request",
      message: "Cannot have a selectable script in the always on scripts params",
    });
  });
});

describe("one that is off, or does nothing over A1111's API, is no matter", () => {
  test.each([
    { script_name: null },
    { script_name: "" },
    { script_name: "None", script_args: [1, 2] },
    { alwayson_scripts: [] },
    { alwayson_scripts: { ADetailer: { args: [false] } } },
    { alwayson_scripts: { ADetailer: { args: [false, AD] } } },
    { alwayson_scripts: { controlnet: { args: [{ enabled: false }, { enabled: false, model: "x" }] } } },
    { alwayson_scripts: { roop: null } },
    { alwayson_scripts: { SEED: { args: [1, 2, 3, 4, 5, 6, 7] }, Refiner: { args: [true, "refiner", 0.5] } } },
    { alwayson_scripts: { comments: {}, "Extra options": {}, Hypertile: { args: [] }, Sampler: { args: [20] } } },
  ])("%j", (body) => {
    expect(() => parseTxt2Img(body)).not.toThrow();
  });
});
