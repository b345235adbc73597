/** Every pair of sampler and scheduler that was sent to A1111 v1.10.1, sent here: the same two in the infotext. */
import { expect, test } from "vitest";
import { parseRequest } from "../../../../../handler/request/envelope.ts";
import { NO_SETTINGS, type SdapiSettings } from "../../../../../handler/request/sdapi/settings.ts";
import recorded from "../../../../fixtures/sdapi/samplers.json" with { type: "json" };
import { loadCatalogue } from "../../../../support/catalogue.ts";
import { completed, output } from "../../../../support/completed.ts";
import { modelFolder } from "../../../../support/model-folder.ts";
import { HEADERS } from "../../../../support/model-headers.ts";
import { safetensorsFile } from "../../../../support/safetensors.ts";
import { rejectionOf } from "../../../../support/thrown.ts";

interface Recorded {
  sampler_name: string | null;
  scheduler: string | null;
  resolved: string[];
  /** What the infotext says; absent where no picture was made. */
  api?: string[];
}

const CASES = (recorded.resolve as Recorded[]).map((it) => ({
  ...it,
  pair: `${it.sampler_name}|${it.scheduler}`,
  expected: it.api ?? it.resolved,
}));

/**
 * What is meant is taken, where A1111 takes its first sampler or the automatic scheduler: names are not case-sensitive here,
 * and Swagger's placeholder is no name.
 */
const OTHERWISE: Readonly<Record<string, string[]>> = {
  "euler|null": ["Euler", "Automatic"],
  "EULER A|null": ["Euler a", "Automatic"],
  "k_euler|null": ["Euler", "Automatic"],
  "k_euler_a|karras": ["Euler a", "Karras"],
  "Euler|KARRAS": ["Euler", "Karras"],
  "Euler|SGMUniform": ["Euler", "SGM Uniform"],
  "string|string": ["Euler", "Automatic"],
};

/** Refused by name, where A1111 takes another without a word; lenient mode does as A1111 does. */
const LENIENT = [
  "Euler SGM Uniform|null",
  "Euler Karras Exponential|null",
  "Euler Karras Karras|null",
  "Euler Turbo|null",
  "Karras|null",
  " Karras|null",
  "Euler  Karras|null",
  "Euler Karras |null",
  "k_dpmpp_2m_ka|null",
  "dpmpp_2m|null",
  "euler_ancestral|null",
  "Foo|null",
  "Foo Karras|null",
  "Foo|Karras",
  "Euler|Foo",
  "Euler|None",
  "Euler|Use same scheduler",
  "Use same sampler|null",
  "DPM++ 2M Karras|Foo",
];

const catalogue = await loadCatalogue(["model.safetensors"], {}, "own");

/** Sampler and schedule type as the infotext has them. */
async function namesFor({ sampler_name, scheduler }: Recorded, worker: Partial<SdapiSettings> = {}): Promise<string[]> {
  const { models } = modelFolder({ "checkpoints/model.safetensors": safetensorsFile(HEADERS.sd1) });
  const request = parseRequest({ sampler_name, scheduler }, "sdapi/txt2img", { ...NO_SETTINGS, ...worker });
  const { encode } = await request.build({ catalogue, models, isFresh: true });
  const { info } = encode(completed([output()])) as { info: string };
  const [infotext] = (JSON.parse(info) as { infotexts: string[] }).infotexts;
  return ["Sampler", "Schedule type"].map((field) => infotext!.match(`${field}: ([^,\n]+)`)![1]!);
}

test("the tables name recorded pairs, and few are answered otherwise", () => {
  const known = CASES.map(({ pair }) => pair);
  expect(known).toEqual(expect.arrayContaining([...LENIENT, ...Object.keys(OTHERWISE)]));
  expect(Object.keys(OTHERWISE).length).toBeLessThanOrEqual(0.05 * (CASES.length + recorded.samplers.length));
});

test.each(CASES.filter(({ pair }) => !LENIENT.includes(pair)))("$pair", async (it) => {
  const otherwise = OTHERWISE[it.pair];
  if (otherwise) expect(otherwise).not.toEqual(it.expected);
  expect(await namesFor(it)).toEqual(otherwise ?? it.expected);
});

test.each(CASES.filter(({ pair }) => LENIENT.includes(pair)))("in lenient mode: $pair", async (it) => {
  expect((await rejectionOf(namesFor(it))).code).toBe("unknown_sampler");
  expect(await namesFor(it, { isLenient: true })).toEqual(it.expected);
});
