import { describe, expect, test } from "vitest";
import { parseDelivery } from "../../../../handler/request/delivery.ts";
import { thrownBy } from "../../../support/thrown.ts";

const convert = (convert_output: unknown) => parseDelivery({ convert_output }, false).convert;

describe("a conversion that is documented is taken", () => {
  test.each<[unknown, unknown]>([
    [{ format: "jpeg" }, { format: "jpeg", options: {} }],
    [{ format: "jpg" }, { format: "jpg", options: {} }],
    [
      { format: "webp", options: {} },
      { format: "webp", options: {} },
    ],
    [
      { format: "jpeg", options: { quality: 1, progressive: true, chromaSubsampling: "4:4:4", mozjpeg: true } },
      { format: "jpeg", options: { quality: 1, progressive: true, chromaSubsampling: "4:4:4", mozjpeg: true } },
    ],
    [
      { format: "webp", options: { quality: 100, alphaQuality: 0, effort: 6, preset: "photo", lossless: true } },
      { format: "webp", options: { quality: 100, alphaQuality: 0, effort: 6, preset: "photo", lossless: true } },
    ],
  ])("%j", (given, expected) => {
    expect(convert(given)).toEqual(expected);
  });
});

describe("anything else is refused, with the option at fault", () => {
  test.each<[unknown, string]>([
    [{ format: "png" }, "convert_output.format"],
    [{}, "convert_output.format"],
    ["jpeg", "convert_output"],
    [{ format: "jpeg", quality: 80 }, "convert_output"],
    [{ format: "jpeg", options: { quality: 0 } }, "convert_output.options.quality"],
    [{ format: "jpeg", options: { quality: 101 } }, "convert_output.options.quality"],
    [{ format: "jpeg", options: { quality: 80.5 } }, "convert_output.options.quality"],
    [{ format: "jpeg", options: { chromaSubsampling: "4:1:1" } }, "convert_output.options.chromaSubsampling"],
    [{ format: "jpeg", options: { quantisationTable: 9 } }, "convert_output.options.quantisationTable"],
    [{ format: "jpeg", options: { lossless: true } }, "convert_output.options"],
    [{ format: "webp", options: { effort: 7 } }, "convert_output.options.effort"],
    [{ format: "webp", options: { alphaQuality: -1 } }, "convert_output.options.alphaQuality"],
    [{ format: "webp", options: { progressive: true } }, "convert_output.options"],
  ])("%j", (given, field) => {
    const error = thrownBy(() => convert(given));
    expect(error.code).toBe("invalid_request");
    expect(error.details!["issues"]).toEqual([{ field, message: expect.any(String) }]);
  });
});

describe("comfyui-api's bucket", () => {
  test("is taken with its prefix as it is, and then nothing comes inline", () => {
    const s3 = { bucket: "pictures", prefix: "a/b-" };
    expect(parseDelivery({ s3: { ...s3, async: false } }, true)).toEqual({ s3, isInline: false });
  });

  test.each<[unknown, string]>([
    [{ prefix: "a" }, "s3.bucket"],
    [{ bucket: "", prefix: "a" }, "s3.bucket"],
    [{ bucket: "b" }, "s3.prefix"],
    [{ bucket: "b", prefix: "a", async: true }, "s3.async"],
    [{ bucket: "b", prefix: "a", region: "x" }, "s3"],
  ])("%j is refused", (s3, field) => {
    const issues = thrownBy(() => parseDelivery({ s3 }, true)).details!["issues"];
    expect(issues).toEqual([{ field, message: expect.any(String) }]);
  });
});

test.each([true, false])("no options leave everything as it is (inline: %s)", (isInline) => {
  expect(parseDelivery({ other: 1 }, isInline)).toEqual({ isInline });
});
