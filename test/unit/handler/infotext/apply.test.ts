import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyInfotext } from "../../../../handler/infotext/apply.ts";
import { parseTxt2Img } from "../../../../handler/request/sdapi/txt2img.ts";
import { SDAPI_SAMPLERS, SDAPI_SCHEDULERS } from "../../../../workflows/sdapi-samplers.ts";
import recorded from "../../../fixtures/sdapi/infotext-parse.json" with { type: "json" };
import defaults from "../../../fixtures/sdapi/request-fields.json" with { type: "json" };
import { loadInventory } from "../../../support/catalogue.ts";
import { completed, output } from "../../../support/completed.ts";

interface Applied {
  tab: "txt2img" | "img2img";
  infotext: string;
  request: Record<string, unknown>;
  changed: Record<string, unknown>;
}

/** The title of a checkpoint is looked up later, in this worker's own list. */
const NAME_AS_WRITTEN: Record<string, string> = { refiner_checkpoint: "refiner [abc]" };

const DEFAULTS = new Map<string, unknown>(defaults.txt2img.map((it) => [it.field, it.default]));
const wire = (value: unknown) => (typeof value === "object" ? value : String(value));

describe("all that A1111 filled in", () => {
  test.each(recorded.apply_infotext as unknown as Applied[])("$tab: $infotext, $request", (applied) => {
    const { tab, infotext, request, changed } = applied;
    const filled = applyInfotext({ ...request, infotext }, tab);
    const differs = ([field, value]: [string, unknown]) =>
      field !== "infotext" &&
      JSON.stringify(wire(value)) !== JSON.stringify(wire(request[field] ?? DEFAULTS.get(field)));
    const changes = Object.entries(filled).filter((it) => differs(it) && Number(it[1]) !== DEFAULTS.get(it[0]));
    const expected = Object.entries(changed)
      .filter(([, value]) => !String(value).startsWith("Use same "))
      .map(([field, value]) => [field, NAME_AS_WRITTEN[field] ?? value]);
    const onTheWire = (entries: unknown[][]) => Object.fromEntries(entries.map(([field, it]) => [field, wire(it)]));
    expect(onTheWire(changes)).toEqual(onTheWire(expected));
  });
});

test.each([undefined, null, "", "string", 5, ["a"]])("infotext %j changes nothing", (infotext) => {
  const request = { prompt: "a fox", infotext };
  expect(applyInfotext(request, "txt2img")).toBe(request);
});

test("a null that was sent is set", () => {
  const filled = applyInfotext({ steps: null, infotext: "a\nSteps: 6, Sampler: Euler, Seed: 3" }, "txt2img");
  expect(filled).toMatchObject({ steps: null, seed: "3", sampler_name: "Euler" });
});

test("settings that are no object stay for the request's check to refuse", () => {
  const filled = applyInfotext({ override_settings: [1], infotext: "a\nSteps: 6, RNG: CPU, Seed: 3" }, "txt2img");
  expect(filled["override_settings"]).toEqual([1]);
});

test("an unknown sampler keeps its name, to be refused by it", () => {
  expect(applyInfotext({ infotext: "a\nSteps: 6, Sampler: Undefined, Seed: 3" }, "txt2img")).toMatchObject({
    sampler_name: "Undefined",
    scheduler: "Automatic",
  });
});

describe("our own infotext gives the request back", async () => {
  const inventory = await loadInventory(["sub/a, model: 1.safetensors"]);
  const answerTo = async (body: object) => {
    const built = await parseTxt2Img(body).build(inventory);
    const answer = built.encode(completed([output()])) as { info: string };
    const { infotexts } = JSON.parse(answer.info) as { infotexts: string[] };
    return { graph: built.graph, infotext: infotexts[0]! };
  };
  // Lines are trimmed, empty ones in front are lost, and a prompt cannot hold what starts the negative one: so A1111 reads.
  const line = fc.string({ unit: "grapheme" }).map((text) => text.replace(/[^\S ]|\0|[<>#]/g, "").trim());
  const text = fc.array(line).map((lines) => lines.join("\n").trim());
  const sampler = fc.constantFrom(...SDAPI_SAMPLERS.filter(({ comfyui }) => comfyui).map(({ name }) => name));
  const scheduler = fc.constantFrom(...SDAPI_SCHEDULERS.filter(({ comfyui }) => comfyui).map(({ label }) => label));
  const request = fc.record({
    prompt: text,
    negative_prompt: text,
    seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
    steps: fc.integer({ min: 1, max: 150 }),
    cfg_scale: fc.double({ min: 0, max: 100, noNaN: true }).map((value) => value + 0),
    width: fc.integer({ min: 64, max: 2048 }),
    height: fc.integer({ min: 64, max: 2048 }),
    sampler_name: sampler,
    scheduler,
  });

  test("graph for graph", async () => {
    await fc.assert(
      fc.asyncProperty(request, async (body) => {
        const first = await answerTo(body);
        expect(await answerTo({ infotext: first.infotext })).toEqual(first);
      }),
    );
  });
});
