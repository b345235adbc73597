/** The fields of A1111's extras (v1.10.1, modules/api/models.py): types, defaults, and the ranges that its API enforces here. */
import { EndpointError } from "../../../runtime/errors.ts";
import { isRawNumber } from "../../../runtime/json.ts";
import { type FieldIssue, issuesError } from "../field-errors.ts";
import type { FieldType } from "./fields.ts";
import { typeIssues } from "./types.ts";
import { boolean, text } from "./values.ts";

interface Range {
  gt?: number;
  ge?: number;
  le?: number;
}

interface Field extends Range {
  type: FieldType;
  fallback: unknown;
  /** The only values there are. */
  permitted?: readonly number[];
  /** The words of the refusal of any value but the default. */
  refusal?: string;
  /** Why it has no effect. */
  idle?: string;
}

const visibility: Field = { type: "float!", ge: 0, le: 1, fallback: 0 };
const faces: Field = { ...visibility, refusal: "faces are not restored here; leave it out or send 0" };
const side: Field = { type: "integer!", ge: 1, fallback: 512 };

/** In the order of A1111's model, which is that of its complaints. */
export const EXTRAS_FIELDS: Readonly<Record<string, Field>> = {
  resize_mode: { type: "integer!", permitted: [0, 1], fallback: 0 },
  show_extras_results: { type: "boolean!", fallback: true, idle: "A1111 looks at it for folders of pictures only" },
  gfpgan_visibility: faces,
  codeformer_visibility: faces,
  codeformer_weight: { ...visibility, idle: "faces are not restored here" },
  upscaling_resize: { type: "float!", gt: 0, fallback: 2 },
  upscaling_resize_w: side,
  upscaling_resize_h: side,
  upscaling_crop: { type: "boolean!", fallback: true },
  upscaler_1: { type: "text!", fallback: "None" },
  upscaler_2: { type: "text!", fallback: "None" },
  extras_upscaler_2_visibility: visibility,
  upscale_first: { type: "boolean!", fallback: false, idle: "it says whether faces are restored before or after" },
};

const SINGLE = { image: { type: "text!", fallback: "" } } as const satisfies Record<string, Field>;
const FILE = { data: { type: "text!" }, name: { type: "text!" } } as const;

export interface ExtrasFields {
  resize_mode: number;
  upscaling_resize: number;
  upscaling_resize_w: number;
  upscaling_resize_h: number;
  upscaling_crop: boolean;
  upscaler_1: string;
  upscaler_2: string;
  extras_upscaler_2_visibility: number;
  [other: string]: unknown;
}

type Payload = Record<string, unknown>;

/** @throws EndpointError `unsupported_feature` for a field that asks for what is not available. */
export function refuseUnavailable(fields: ExtrasFields): void {
  for (const [field, { refusal, fallback }] of Object.entries(EXTRAS_FIELDS)) {
    if (refusal === undefined || fields[field] === fallback) continue;
    throw new EndpointError("unsupported_feature", `${field}: ${refusal}`, { details: { field } });
  }
}

/** @throws EndpointError `invalid_request` with all that pydantic complains of. */
export function readSingle(payload: Payload): { fields: ExtrasFields; image: string } {
  refuse(issuesOf({ ...EXTRAS_FIELDS, ...SINGLE }, payload));
  const fields = valuesOf({ ...EXTRAS_FIELDS, ...SINGLE }, payload);
  return { fields, image: String(fields["image"]) };
}

/** As {@link readSingle}, for a list of files. */
export function readBatch(payload: Payload): { fields: ExtrasFields; images: string[] } {
  const { imageList } = payload;
  refuse([...issuesOf(EXTRAS_FIELDS, payload), ...listIssues(imageList)]);
  const files = (imageList as Payload[]).map(({ data }) => text.parse(data));
  return { fields: valuesOf(EXTRAS_FIELDS, payload), images: files };
}

function issuesOf(fields: Readonly<Record<string, Field>>, payload: Payload): FieldIssue[] {
  return Object.entries(fields).flatMap(([name, field]) =>
    payload[name] === undefined ? [] : fieldIssues(name, field, payload[name]),
  );
}

function fieldIssues(name: string, field: Field, value: unknown): FieldIssue[] {
  const { permitted } = field;
  if (permitted && value !== null) return isPermitted(value, permitted) ? [] : [notPermitted(name, value, permitted)];
  const ofType = typeIssues(name, field.type, value);
  return ofType.length > 0 ? ofType : rangeIssues(name, field, numberOf(value));
}

/** Python's equality: true is 1. */
const isPermitted = (value: unknown, permitted: readonly number[]) =>
  (typeof value === "number" || typeof value === "boolean") && permitted.includes(Number(value));

const notPermitted = (field: string, given: unknown, permitted: readonly number[]): FieldIssue => ({
  field,
  message: `unexpected value; permitted: ${permitted.join(", ")}`,
  type: "value_error.const",
  ctx: { given, permitted },
});

/** A number that is none is in no range. */
function rangeIssues(field: string, { gt, ge, le }: Range, value: number): FieldIssue[] {
  const complain = (limit: number, kind: string, relation: string): FieldIssue[] => [
    {
      field,
      message: `ensure this value is ${relation} ${limit}`,
      type: `value_error.number.not_${kind}`,
      ctx: { limit_value: limit },
    },
  ];
  if (gt !== undefined && !(value > gt)) return complain(gt, "gt", "greater than");
  if (ge !== undefined && !(value >= ge)) return complain(ge, "ge", "greater than or equal to");
  if (le !== undefined && !(value <= le)) return complain(le, "le", "less than or equal to");
  return [];
}

function listIssues(list: unknown): FieldIssue[] {
  const field = "imageList";
  if (list === undefined) return [missing(field)];
  const issues = typeIssues(field, "list!", list);
  return issues.length > 0
    ? issues
    : (list as unknown[]).flatMap((file, index) => fileIssues(`${field}.${index}`, file));
}

function fileIssues(field: string, file: unknown): FieldIssue[] {
  const issues = typeIssues(field, "object!", file);
  if (issues.length > 0) return issues;
  return Object.entries(FILE).flatMap(([name, { type }]) => {
    const value = (file as Payload)[name];
    return value === undefined ? [missing(`${field}.${name}`)] : typeIssues(`${field}.${name}`, type, value);
  });
}

const missing = (field: string): FieldIssue => ({ field, message: "field required" });

function refuse(issues: FieldIssue[]): void {
  if (issues.length > 0) throw issuesError(issues);
}

function valuesOf(fields: Readonly<Record<string, Field>>, payload: Payload): ExtrasFields {
  const values = Object.entries(fields).map(([name, { type, fallback }]) => [
    name,
    payload[name] === undefined ? fallback : READERS[type]!(payload[name]),
  ]);
  return Object.fromEntries(values) as ExtrasFields;
}

const READERS: Partial<Record<FieldType, (value: unknown) => unknown>> = {
  "boolean!": (value) => boolean.parse(value),
  "float!": numberOf,
  "integer!": (value) => Math.trunc(numberOf(value)),
  "text!": (value) => text.parse(value),
};

/** Of a value that has passed as a number; texts as Python reads them. */
function numberOf(value: unknown): number {
  if (isRawNumber(value)) return Number(value.rawJSON);
  if (typeof value !== "string") return Number(value);
  const infinity = /^\s*([+-]?)inf(inity)?\s*$/i.exec(value);
  return infinity ? Number(`${infinity[1]}Infinity`) : Number(value);
}
