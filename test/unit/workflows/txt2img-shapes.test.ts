import { expect, test } from "vitest";
import { parseTxt2Img } from "../../../handler/request/sdapi/txt2img.ts";
import { checkGraph } from "../../../workflows/check-graph.ts";
import { loadInventory } from "../../support/catalogue.ts";
import { shownGraph } from "../../support/shown-graph.ts";
import { EXACT_SHAPES, ONE_CHECKPOINT_SHAPES, REFINER, TWO_CHECKPOINT_SHAPES } from "../../support/txt2img-shapes.ts";

const CHECKPOINTS = ["model.safetensors", REFINER];
const SHAPES = Object.entries({ ...ONE_CHECKPOINT_SHAPES, ...TWO_CHECKPOINT_SHAPES });

test.each(SHAPES)("%s", async (_, body) => {
  const inventory = await loadInventory(CHECKPOINTS);
  const { graph } = await parseTxt2Img(body).build(inventory);
  expect(checkGraph(graph, inventory.catalogue)).toBe(graph);
  expect(shownGraph(graph)).toMatchSnapshot();
});

test.each([...SHAPES, ...Object.entries(EXACT_SHAPES)])("on an engine with our own nodes: %s", async (_, body) => {
  const inventory = await loadInventory(CHECKPOINTS, "own");
  const { graph } = await parseTxt2Img(body).build(inventory);
  expect(checkGraph(graph, inventory.catalogue)).toBe(graph);
  expect(shownGraph(graph)).toMatchSnapshot();
});

test.each(Object.entries(EXACT_SHAPES))("without them refused by name: %s", async (_, body) => {
  const refused = parseTxt2Img(body).build(await loadInventory(CHECKPOINTS));
  await expect(refused).rejects.toMatchObject({ code: "unsupported_feature", details: { field: expect.any(String) } });
});
