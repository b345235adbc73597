import { describe, expect, test } from "vitest";
import { parseInfotext } from "../../../../handler/infotext/parse.ts";
import { PythonFloat } from "../../../../handler/infotext/python.ts";
import { type Parameters, quote, writeInfotext } from "../../../../handler/infotext/write.ts";
import recorded from "../../../fixtures/sdapi/infotext.json" with { type: "json" };
import recordedParse from "../../../fixtures/sdapi/infotext-parse.json" with { type: "json" };

interface Created {
  name: string;
  route: string;
  status: number;
  request: Record<string, unknown>;
  infotexts?: string[];
  info?: Record<string, unknown> & { infotexts: string[] };
}

const created = (recorded.create as unknown as Created[])
  .map((it) => ({ ...it, texts: it.infotexts ?? it.info?.infotexts ?? [] }))
  .filter(({ texts }) => texts.length > 0);

const FLOAT = /^-?\d+\.\d+(e[+-]\d+)?$/;
const INTEGER = /^-?\d+$/;

/**
 * What A1111 had in its hands when it wrote the text: numbers as numbers, sizes whole. That numbers of requests come out so is tested
 * with the answers (sdapi-response.test.ts).
 */
function partsOf(text: string): Parameters {
  const parameters: Parameters = {};
  for (const [label, parsed] of Object.entries(parseInfotext(text))) {
    const [name, index] = [label.replace(/-[12]$/, ""), label.match(/-([12])$/)?.[1]];
    const isWritten = text.includes(`, ${name}: `) || name === "Steps";
    if (!isWritten || name === "Prompt" || name === "Negative prompt") continue;
    const value = String(parsed);
    if (index === "2") parameters[name] = `${parameters[name]}x${value}`;
    else if (FLOAT.test(value)) parameters[name] = new PythonFloat(Number(value));
    else if (INTEGER.test(value) && name !== "Model hash" && index === undefined) parameters[name] = BigInt(value);
    else parameters[name] = value === "True" ? true : value;
  }
  return parameters;
}

/** The parameters with a fixed place in no order of their own. */
const reversed = (parameters: Parameters) => {
  const entries = Object.entries(parameters);
  const from = entries.findIndex(([label]) => label === "Model") + 1;
  return Object.fromEntries([...entries.slice(0, from).reverse(), ...entries.slice(from)]);
};

/** Prompts as sent: reading an infotext trims them. */
function promptsIn(text: string): { prompt: string; negativePrompt: string } {
  const upTo = text.slice(0, text.lastIndexOf("Steps: ")).replace(/\n$/, "");
  const at = /^Negative prompt: /m.exec(upTo);
  if (!at) return { prompt: upTo, negativePrompt: "" };
  return { prompt: upTo.slice(0, at.index).replace(/\n$/, ""), negativePrompt: upTo.slice(at.index + at[0].length) };
}

describe("all that A1111 wrote", () => {
  test("there are 176 answers", () => expect(created).toHaveLength(176));

  test.each(created)("$route: $name", ({ texts }) => {
    for (const text of texts)
      expect(writeInfotext({ ...promptsIn(text), parameters: reversed(partsOf(text)) })).toBe(text);
  });
});

interface Direct {
  name: string;
  extra_generation_params: Record<string, unknown>;
  args: Record<string, unknown>;
  index0: string;
  index1: string;
}

/** Not values of parameters here: Python's own containers. */
const NO_VALUES = new Set(["dict value", "tuple value"]);
/** What the fixture's JSON does not tell apart from integers. */
const FLOATS = /^(numbers\.[BDE]|cfg (7\.0|30)\.CFG scale)$/;

describe("create_infotext called on odd values", () => {
  const cases = (recordedParse.create_direct as unknown as Direct[]).filter(({ name }) => !NO_VALUES.has(name));

  test.each(cases)("$name", ({ name, extra_generation_params: extra, args, index0, index1 }) => {
    for (const [index, text] of [index0, index1].entries()) {
      const value = (label: string, given: unknown): Parameters[string] => {
        if (given === "<callable>") return name === "callable" ? `i${index}` : null;
        const own = Array.isArray(given) ? given[index] : given;
        if (typeof own !== "number") return own as string;
        return !Number.isInteger(own) || FLOATS.test(`${name}.${label}`) ? new PythonFloat(own) : own;
      };
      const { cfg_scale = 7, tiling, subseed_strength, seed_resize_from_w: w, seed_resize_from_h: h } = args;
      const parameters: Parameters = {
        Steps: 20,
        Sampler: "Euler",
        "Schedule type": name === "scheduler None" ? null : name === "scheduler label" ? "SGM Uniform" : "Automatic",
        "CFG scale": "cfg_scale" in args ? value("CFG scale", cfg_scale) : new PythonFloat(7),
        Seed: 1 + index,
        Size: "512x512",
        "Model hash": "0123456789",
        Model: "m",
        ...(subseed_strength !== undefined && {
          "Variation seed": 3 + index,
          "Variation seed strength": value("Variation seed strength", subseed_strength),
        }),
        ...(Number(h) > 0 && { "Seed resize from": `${w}x${h}` }),
        ...(tiling === true && { Tiling: true }),
        Version: "v1.10.1",
        ...Object.fromEntries(Object.entries(extra).map(([label, given]) => [label, value(label, given)])),
      };
      expect(writeInfotext({ prompt: index === 0 ? "a cat" : "a dog", negativePrompt: "", parameters })).toBe(text);
    }
  });
});

test.each(recordedParse.quote as [string, string][])("quote %j", (value, written) => {
  expect(quote(value)).toBe(written);
});

test.each(recordedParse.quote_numbers as [string, string][])("a number: %s", (python, written) => {
  const value = FLOAT.test(python) || /\de/.test(python) ? new PythonFloat(Number(python)) : python;
  expect(`k: ${quote(String(value))}`).toBe(written);
});
