/** Requests of A1111's clients as graphs. */
import { describe, expect, test } from "vitest";
import type { Inventory } from "../../../../../handler/request/request.ts";
import { parseImg2Img } from "../../../../../handler/request/sdapi/img2img.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import { checkGraph } from "../../../../../workflows/check-graph.ts";
import { loadInventory } from "../../../../support/catalogue.ts";
import { SDAPI_BODIES, type SdapiBody, withModels } from "../../../../support/sdapi-bodies.ts";
import { shownGraph } from "../../../../support/shown-graph.ts";

const PARSERS = { txt2img: parseTxt2Img, img2img: parseImg2Img };
const inventory = await loadInventory();
const ownInventory = await loadInventory(undefined, "own");

describe("graphs", () => {
  const drawn = SDAPI_BODIES.flatMap((it) => (it.sizes && it.route in PARSERS ? [[it.what, it] as const] : []));

  const graphOf = async ({ route, body }: SdapiBody, on: Inventory) => {
    const parse = PARSERS[route as keyof typeof PARSERS];
    const fixedSeed = { seed: 5, ...withModels(body) };
    const { graph } = await parse(Number(fixedSeed.seed) < 0 ? { ...fixedSeed, seed: 5 } : fixedSeed).build(on);
    expect(checkGraph(graph, on.catalogue)).toBe(graph);
    return graph;
  };

  test.each(drawn)("%s", async (_, it) => {
    const { nodes = [], sizes = [] } = it;
    const graph = await graphOf(it, inventory);
    const inputs = Object.values(graph).map(({ class_type, inputs: given }) => [class_type, given]);
    for (const [classType, some] of nodes) expect(inputs).toContainEqual([classType, expect.objectContaining(some)]);
    expect(inputs.filter(([classType]) => classType === "SaveImage")).toHaveLength(sizes.length);
    expect(shownGraph(graph)).toMatchSnapshot();
  });

  test.each(drawn)("on an engine with our own nodes: %s", async (_, it) => {
    expect(shownGraph(await graphOf(it, ownInventory))).toMatchSnapshot();
  });
});
