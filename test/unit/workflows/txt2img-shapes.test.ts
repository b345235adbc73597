import { expect, test } from "vitest";
import { parseTxt2Img } from "../../../handler/request/sdapi/txt2img.ts";
import { checkGraph } from "../../../workflows/check-graph.ts";
import { loadInventory } from "../../support/catalogue.ts";
import { shown } from "../../support/shown-graph.ts";
import { ONE_CHECKPOINT_SHAPES, REFINER, TWO_CHECKPOINT_SHAPES } from "../../support/txt2img-shapes.ts";

const inventory = await loadInventory(["model.safetensors", REFINER]);

test.each(Object.entries({ ...ONE_CHECKPOINT_SHAPES, ...TWO_CHECKPOINT_SHAPES }))("%s", async (_, body) => {
  const { graph } = await parseTxt2Img(body).build(inventory);
  expect(checkGraph(graph, inventory.catalogue)).toBe(graph);
  expect(shown(graph)).toMatchSnapshot();
});
