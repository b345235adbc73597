import { describe, expect, test } from "vitest";
import { SDAPI_PREFIX, SDAPI_ROUTES } from "../../../../../handler/adapters/http/sdapi/route-table.ts";
import { extensionSchema } from "../../../../../handler/request/sdapi/extensions.ts";
import { readBatch, readSingle } from "../../../../../handler/request/sdapi/extras-fields.ts";
import { type FieldType, IMG2IMG_FIELDS, TXT2IMG_FIELDS } from "../../../../../handler/request/sdapi/fields.ts";
import { parseImg2Img } from "../../../../../handler/request/sdapi/img2img.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import recorded from "../../../../fixtures/sdapi/request-fields.json" with { type: "json" };
import { thrownBy } from "../../../../support/thrown.ts";

interface Recorded {
  field: string;
  type: string;
  allow_none: boolean;
  required: boolean;
  default: unknown;
}

const KINDS: Readonly<Record<string, FieldType>> = {
  str: "text",
  int: "integer",
  float: "float",
  bool: "boolean",
  dict: "object",
  "dict[str, Any]": "object",
  list: "list",
  "list[str]": "texts",
};

/** Fields that A1111 has not, and where they come from. */
const OWN: Readonly<Record<string, string>> = {
  clip_skip: "SD.Next, stable-diffusion.cpp, KoboldCpp, SillyTavern",
  distilled_cfg_scale: "Forge",
  hr_cfg: "Forge",
  hr_distilled_cfg: "Forge",
  hr_additional_modules: "Forge",
  loras: "comfyUI-API-server",
};

const NULL = "none is not an allowed value";

describe.each([
  { tab: "txt2img", table: TXT2IMG_FIELDS, parse: parseTxt2Img, count: 55 },
  { tab: "img2img", table: IMG2IMG_FIELDS, parse: parseImg2Img, count: 57 },
] as const)("$tab", ({ tab, table, parse, count }) => {
  const fields: readonly Recorded[] = recorded[tab];

  test("the fields are A1111's, in its order, of its types and with its defaults", () => {
    expect(fields).toHaveLength(count);
    expect(Object.entries(table).map(([field, { type, fallback }]) => ({ field, type, default: fallback }))).toEqual(
      fields.map(({ field, type, allow_none, default: fallback }) => ({
        field,
        type: allow_none ? KINDS[type] : `${KINDS[type]}!`,
        default: fallback,
      })),
    );
  });

  test.each(fields.filter(({ allow_none }) => !allow_none))("$field is never null", ({ field }) => {
    expect(thrownBy(() => parse({ [field]: null })).details).toEqual({ issues: [{ field, message: NULL }] });
  });

  test.each(fields.filter(({ type }) => type !== "str"))("$field is no text", ({ field, type }) => {
    const { message } = thrownBy(() => parse({ [field]: "x" }));
    expect(message).toBe(`${field}: ${complaintOf(type)}`);
  });

  test.each(fields.filter(({ type }) => type === "str"))("$field is a text", ({ field }) => {
    expect(thrownBy(() => parse({ [field]: {} })).message).toBe(`${field}: str type expected`);
  });
});

test("what else is read is named with its source", () => {
  expect(Object.keys(extensionSchema.shape)).toEqual(Object.keys(OWN));
  for (const field of Object.keys(OWN)) expect({ ...TXT2IMG_FIELDS, ...IMG2IMG_FIELDS }).not.toHaveProperty(field);
});

describe("extras", () => {
  const single = (body: object) => readSingle(body as Record<string, unknown>);
  const batch = (body: object) => readBatch({ imageList: [], ...body });
  const optional = (fields: readonly Recorded[]) => fields.filter(({ required }) => !required);
  const defaults = (fields: readonly Recorded[]) =>
    Object.fromEntries(optional(fields).map((it) => [it.field, it.default]));

  test("defaults are A1111's, and there are no other fields", () => {
    expect(single({}).fields).toEqual(defaults(recorded.extra_single));
    expect(batch({}).fields).toEqual(defaults(recorded.extra_batch));
    expect(thrownBy(() => readBatch({})).details).toEqual({
      issues: [{ field: "imageList", message: "field required" }],
    });
  });

  test.each(recorded.extra_single)("$field is a $type, never null", ({ field, type }) => {
    expect(issuesOf(() => single({ [field]: null }))).toEqual([`${field}: ${NULL}`]);
    const wrong = type.startsWith("Literal") ? "unexpected value; permitted: 0, 1" : complaintOf(type);
    expect(issuesOf(() => single({ [field]: {} }))).toEqual([`${field}: ${wrong}`]);
  });

  const issuesOf = (read: () => unknown) => {
    const { issues } = thrownBy(read).details as { issues: { field: string; message: string }[] };
    return issues.map(({ field, message }) => `${field}: ${message}`);
  };
});

test("every route of A1111 is in the table, and no other", () => {
  const theirs = Object.entries(recorded.paths).flatMap(([path, methods]) =>
    methods.map((method) => `${method} ${path.slice(SDAPI_PREFIX.length)}`),
  );
  expect(Object.keys(SDAPI_ROUTES).sort()).toEqual(theirs.sort());
});

/** pydantic's. */
function complaintOf(type: string): string {
  const complaints: Readonly<Record<string, string>> = {
    text: "str type expected",
    integer: "value is not a valid integer",
    float: "value is not a valid float",
    boolean: "value could not be parsed to a boolean",
    object: "value is not a valid dict",
    list: "value is not a valid list",
    texts: "value is not a valid list",
  };
  return complaints[KINDS[type]!]!;
}
