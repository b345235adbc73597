import { describe, expect, test } from "vitest";
import { withoutPictures } from "../../../../../../handler/request/sdapi/controlnet/echo.ts";
import { controlParameters } from "../../../../../../handler/request/sdapi/controlnet/infotext.ts";
import { parseControlUnits } from "../../../../../../handler/request/sdapi/controlnet/units.ts";
import { Notes } from "../../../../../../handler/request/sdapi/notes.ts";
import { thrownBy } from "../../../../../support/thrown.ts";

const IMAGE = "iVBORw0KGgo=";
const parse = (...args: unknown[]) => parseControlUnits({ ControlNet: { args } }, new Notes());
const one = (fields: object) => parse({ model: "m", image: IMAGE, ...fields })[0]!;

describe("a unit is off", () => {
  test.each<[string, unknown]>([
    ["no arguments", {}],
    ["an empty list", []],
    ["null", null],
    ["an empty list of arguments", { args: [] }],
    ["false", { args: [false] }],
    ["nulls", { args: [null, null, null] }],
    ["a unit without model and picture", { args: [{ module: "none", model: "None" }] }],
    ["a unit that says so", { args: [{ enabled: false, model: "m", image: IMAGE, module: "openpose" }] }],
    ["a unit that says so in text", { args: [{ enabled: "false", model: "m", image: IMAGE }] }],
  ])("%s", (_, script) => {
    expect(parseControlUnits({ controlnet: script }, new Notes())).toEqual([]);
  });
});

describe("a unit is on that does not say", () => {
  test.each<[string, object]>([
    ["but has a model", { model: "m" }],
    ["but has a model and a picture", { model: "m", image: IMAGE }],
  ])("%s", (_, unit) => {
    expect(parse(unit)).toHaveLength(1);
  });
});

describe("fields", () => {
  test("have the extension's defaults, apart from maps, which are sent only when they are asked for", () => {
    expect(one({}).fields).toMatchObject({
      module: "none",
      weight: 1,
      resize_mode: "Crop and Resize",
      guidance_start: 0,
      guidance_end: 1,
      pixel_perfect: false,
      control_mode: "Balanced",
      hr_option: "Both",
      save_detected_map: false,
      union_control_type: "Unknown",
      inpaint_crop_input_image: true,
    });
  });

  test.each<[string, object, object]>([
    ["resize_mode by number", { resize_mode: 0 }, { resize_mode: "Just Resize" }],
    ["resize_mode by an old name", { resize_mode: "Scale to Fit (Inner Fit)" }, { resize_mode: "Crop and Resize" }],
    ["resize_mode by another", { resize_mode: "Envelope (Outer Fit)" }, { resize_mode: "Resize and Fill" }],
    ["control_mode by number", { control_mode: 2 }, { control_mode: "ControlNet is more important" }],
    ["guidance is the end", { guidance: 0.5 }, { guidance_end: 0.5 }],
    ["numbers as text", { weight: "0.5" }, { weight: 0.5 }],
    ["null for a default", { weight: null, control_mode: null }, { weight: 1, control_mode: "Balanced" }],
  ])("%s", (_, given, expected) => {
    expect(one(given).fields).toMatchObject(expected);
  });

  test("of a preprocessor that are out of its bounds are its own", () => {
    const values = (fields: object) => {
      const { processorRes, thresholdA, thresholdB } = one(fields);
      return [processorRes, thresholdA, thresholdB];
    };
    expect(values({})).toEqual([512, 0.5, 0.5]);
    expect(values({ module: "canny" })).toEqual([512, 100, 200]);
    expect(values({ module: "canny", threshold_a: 75, threshold_b: 0, processor_res: 63 })).toEqual([512, 75, 200]);
    expect(values({ module: "canny", threshold_a: 255, threshold_b: 256, processor_res: 2048 })).toEqual([
      2048, 255, 200,
    ]);
  });
});

describe("a picture may come", () => {
  test.each<[string, object, object | undefined]>([
    ["as base64", { image: "a" }, { image: "a" }],
    ["with a mask", { image: "a", mask: "b" }, { image: "a", mask: "b" }],
    ["with a mask by Forge's name", { image: "a", mask_image: "b" }, { image: "a", mask: "b" }],
    ["as an object", { image: { image: "a", mask: "b" } }, { image: "a", mask: "b" }],
    ["as a pair", { image: ["a", "b"] }, { image: "a", mask: "b" }],
    ["as a list of one object", { image: [{ image: "a" }] }, { image: "a" }],
    ["not at all", { image: "" }, undefined],
    ["as null", { image: null }, undefined],
  ])("%s", (_, given, expected) => {
    expect(one(given).picture).toEqual(expected);
  });

  test("by its old name", () => {
    expect(parse({ model: "m", input_image: "a" })[0]!.picture).toEqual({ image: "a" });
  });
});

describe("is refused", () => {
  test.each<[string, unknown, string, string]>([
    ["the old list", true, "unsupported_feature", "positional"],
    ["a number in the old list", 1, "unsupported_feature", "args.0"],
    ["both names", { model: "m", guidance: 1, guidance_end: 1 }, "invalid_request", "'guidance' and 'guidance_end'"],
    ["two masks", { model: "m", mask: "a", mask_image: "b" }, "invalid_request", "Cannot specify both"],
    ["a weight above 2", { model: "m", weight: 2.5 }, "invalid_request", "weight"],
    ["a mode by a wrong name", { model: "m", resize_mode: "Stretch" }, "invalid_request", "Just Resize"],
    ["an end before the start", { model: "m", guidance_start: 0.6, guidance_end: 0.5 }, "invalid_request", "0.6"],
    ["no model", { enabled: true, image: IMAGE }, "invalid_request", "You have not selected any ControlNet Model."],
    ["a preprocessor", { model: "m", module: "depth_midas" }, "unsupported_feature", "'depth_midas'"],
    ["two pictures", { model: "m", image: [{ image: "a" }, { image: "b" }] }, "unsupported_feature", "one picture"],
    ["no picture", { model: "m", image: 5 }, "invalid_request", "args.0.image"],
    ["layers", { model: "m", advanced_weighting: [1, 1] }, "unsupported_feature", "advanced_weighting"],
    ["a region", { model: "m", effective_region_mask: IMAGE }, "unsupported_feature", "effective_region_mask"],
    ["PuLID", { model: "m", pulid_mode: "Extremely style" }, "unsupported_feature", "pulid_mode"],
    ["an IP-Adapter", { model: "m", ipadapter_input: [IMAGE] }, "unsupported_feature", "ipadapter_input"],
    ["a folder", { model: "m", input_mode: "batch" }, "unsupported_feature", "input_mode"],
  ])("%s", (_, unit, code, words) => {
    const error = thrownBy(() => parse(unit));
    expect(error).toMatchObject({ code, message: expect.stringContaining(words) });
  });

  test("a list that is none, and too many units", () => {
    expect(thrownBy(() => parseControlUnits({ controlnet: { args: "x" } }, new Notes()))).toMatchObject({
      message: expect.stringContaining("value is not a valid list"),
    });
    const units = Array.from({ length: 11 }, () => ({ model: "m", image: IMAGE }));
    expect(thrownBy(() => parse(...units))).toMatchObject({ message: expect.stringContaining("11 units") });
  });
});

test("the infotext is the extension's: numbers that were sent are floats, a preprocessor's own are as it has them", () => {
  const units = parse(
    { enabled: false, model: "off", image: IMAGE },
    {
      model: "control_v11p_sd15_canny [d14c016b]",
      module: "canny",
      threshold_a: 75,
      guidance: 1,
      weight: 1,
      image: IMAGE,
    },
    { model: "m", image: IMAGE, pixel_perfect: true, control_mode: 1, resize_mode: 2, guidance_start: 0.25 },
  );
  expect(controlParameters(units)).toEqual({
    "ControlNet 0":
      "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 1.0, Resize Mode: Crop and Resize, Processor Res: 512, Threshold A: 75.0, Threshold B: 200, Guidance Start: 0.0, Guidance End: 1.0, Pixel Perfect: False, Control Mode: Balanced",
    "ControlNet 1":
      "Module: none, Model: m, Weight: 1.0, Resize Mode: Resize and Fill, Processor Res: 512, Threshold A: 0.5, Threshold B: 0.5, Guidance Start: 0.25, Guidance End: 1.0, Pixel Perfect: True, Control Mode: My prompt is more important",
  });
});

test("the echo of a request has no pictures", () => {
  const picture = "A".repeat(2000);
  const unit = { model: "m", image: { image: picture, mask: null }, mask: picture, weight: 0.5 };
  const scripts = { controlnet: { args: [unit, { image: [picture, picture] }] }, Seed: { args: [] } };
  expect(withoutPictures(scripts)).toEqual({
    controlnet: {
      args: [{ model: "m", image: { image: null, mask: null }, mask: null, weight: 0.5 }, { image: [null, null] }],
    },
    Seed: { args: [] },
  });
});
