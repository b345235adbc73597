import { describe, expect, test } from "vitest";
import { TXT2IMG_FIELDS, txt2imgSchema } from "../../../../../handler/request/sdapi/fields.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import { parseJson } from "../../../../../runtime/json.ts";
import recordedValues from "../../../../fixtures/sdapi/txt2img-values.json" with { type: "json" };
import { thrownBy } from "../../../../support/thrown.ts";

const parse = (body: unknown) => txt2imgSchema.parse(body) as Record<string, unknown>;

test("no field at all gives every default", () => {
  const defaults = Object.entries(TXT2IMG_FIELDS).map(([field, { fallback }]) => [field, fallback]);
  expect(parse({})).toEqual(Object.fromEntries(defaults));
});

test("null stands for the default, and unknown fields are dropped", () => {
  const nulls = Object.fromEntries(Object.keys(TXT2IMG_FIELDS).map((field) => [field, null]));
  expect(parse({ ...nulls, no_such_field: 1 })).toEqual(parse({}));
});

describe("values are read as A1111 reads them", () => {
  test.each<[field: string, given: unknown, read: unknown]>([
    ["steps", "20", 20],
    ["steps", " 3 ", 3],
    ["steps", "+3", 3],
    ["steps", true, 1],
    ["steps", 12.9, 12],
    ["width", 64.9, 64],
    ["seed", "-1", -1n],
    ["seed", "+5", 5n],
    ["seed", 1.9, 1n],
    ["seed", -1.9, -1n],
    ["seed", true, 1n],
    ["seed", "18446744073709551615", 2n ** 64n - 1n],
    ["seed", parseJson("18446744073709551615"), 2n ** 64n - 1n],
    ["cfg_scale", "1.0", 1],
    ["cfg_scale", "7.5", 7.5],
    ["cfg_scale", " 1e1 ", 10],
    ["cfg_scale", ".5", 0.5],
    ["cfg_scale", false, 0],
    ["prompt", 5, "5"],
    ["prompt", 1.5, "1.5"],
    ["prompt", true, "True"],
    ["prompt", parseJson("18446744073709551615"), "18446744073709551615"],
    ["send_images", 0, false],
    ["send_images", 1, true],
    ["send_images", "OFF", false],
    ["send_images", "yes", true],
  ])("%s: %j", (field, given, read) => {
    expect(parse({ [field]: given })[field]).toEqual(read);
  });
});

describe("values that A1111 refuses are refused by field", () => {
  test.each<[field: string, given: unknown, message: string]>([
    ["steps", "1e2", "value is not a valid integer"],
    ["steps", "0x10", "value is not a valid integer"],
    ["steps", [20], "value is not a valid integer"],
    ["steps", parseJson("[99999999999999999999]"), "value is not a valid integer"],
    ["seed", "1.5", "value is not a valid integer"],
    ["seed", {}, "value is not a valid integer"],
    ["cfg_scale", "0x10", "value is not a valid float"],
    ["cfg_scale", "nan", "value is not a valid float"],
    ["cfg_scale", "Infinity", "value is not a valid float"],
    ["cfg_scale", [7], "value is not a valid float"],
    ["send_images", 2, "value could not be parsed to a boolean"],
    ["send_images", ["true"], "value could not be parsed to a boolean"],
    ["send_images", "constructor", "value could not be parsed to a boolean"],
    ["send_images", parseJson("99999999999999999999"), "value could not be parsed to a boolean"],
    ["send_images", { toString: null }, "value could not be parsed to a boolean"],
    ["sampler_name", [], "str type expected"],
  ])("%s: %j", (field, given, message) => {
    expect(thrownBy(() => parseTxt2Img({ [field]: given })).details).toEqual({ issues: [{ field, message }] });
  });
});

describe("limits", () => {
  test.each([
    ["steps", 1, 10_000],
    ["width", 16, 16_384],
    ["height", 16, 16_384],
    ["batch_size", 1, 100],
    ["n_iter", 1, 100],
    ["cfg_scale", 0, 100],
  ])("%s from %d to %d", (field, min, max) => {
    for (const value of [min, max]) expect(parse({ [field]: value })[field]).toBe(value);
    for (const value of [min - 1, max + 1]) {
      const error = thrownBy(() => parseTxt2Img({ [field]: value }));
      expect(error.details!["issues"]).toEqual([{ field, message: expect.any(String) }]);
    }
  });

  test("seed to 2^64 - 1", () => {
    expect(parse({ seed: (2n ** 64n - 1n).toString() })["seed"]).toBe(2n ** 64n - 1n);
    expect(thrownBy(() => parseTxt2Img({ seed: (2n ** 64n).toString() })).code).toBe("invalid_request");
  });

  test("a hundred pictures in one request", () => {
    expect(() => parseTxt2Img({ batch_size: 10, n_iter: 10 })).not.toThrow();
    expect(thrownBy(() => parseTxt2Img({ batch_size: 101, n_iter: 1 })).code).toBe("invalid_request");
    expect(thrownBy(() => parseTxt2Img({ batch_size: 11, n_iter: 10 })).message).toContain("110 pictures");
  });
});

describe("what a real A1111 made of odd values", () => {
  interface Recorded {
    body: Record<string, unknown>;
    status: number;
    errors?: [field: string, message: string][];
    infotext?: string;
  }

  const BASE = { prompt: "x", steps: 1, width: 64, height: 64, seed: 1 };
  const cases = (recordedValues.cases as unknown as Recorded[]).map((it) => ({
    ...it,
    given: JSON.stringify(it.body),
  }));
  /** Null is the default here for every field; there it is refused for three and crashes the rest. */
  const isNull = ({ body }: Recorded) => Object.values(body).includes(null);

  test.each(cases.filter((it) => it.status === 422 && !isNull(it)))("$given is refused alike", ({ body, errors }) => {
    const { details } = thrownBy(() => parseTxt2Img({ ...BASE, ...body }));
    expect(details).toEqual({ issues: errors!.map(([field, message]) => ({ field, message })) });
  });

  test.each(cases.filter(isNull))("$given is the default", ({ body }) => {
    const [field] = Object.keys(body);
    expect(parse(body)[field!]).toEqual(parse({})[field!]);
  });

  /** Reading them crashes A1111, or gives a picture that nobody asked for. */
  const REFUSED_HERE = new Set(['{"cfg_scale":-1}']);

  test.each(cases.filter((it) => (it.status === 500 && !isNull(it)) || REFUSED_HERE.has(it.given)))(
    "$given is refused",
    ({ body }) => {
      expect(thrownBy(() => parseTxt2Img({ ...BASE, ...body })).code).toBe("invalid_request");
    },
  );

  test.each(cases.filter((it) => it.infotext !== undefined && !REFUSED_HERE.has(it.given)))(
    "$given is accepted",
    ({ body, infotext }) => {
      const { steps, cfg_scale, width, height } = txt2imgSchema.parse({ ...BASE, ...body });
      expect(infotext).toContain(`Steps: ${steps},`);
      expect(infotext).toMatch(new RegExp(`CFG scale: ${cfg_scale}(\\.0)?,`));
      expect(infotext).toContain(`Size: ${width}x${height},`);
    },
  );
});
