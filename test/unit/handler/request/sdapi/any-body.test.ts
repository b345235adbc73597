/** Whatever comes in is a graph or one of our refusals, and takes no time that shows. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseImg2Img } from "../../../../../handler/request/sdapi/img2img.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import { EndpointError, ERRORS } from "../../../../../runtime/errors.ts";
import { loadInventory } from "../../../../support/catalogue.ts";
import { NASTY_BODIES } from "../../../../support/nasty-bodies.ts";

const PARSERS = { txt2img: parseTxt2Img, img2img: parseImg2Img };
const RUNS = 3000;
const PATIENCE_MS = 2_000;

const inventory = await loadInventory();

/** A graph of thousands of pictures takes its time, and that of thousands of steps of alternation. */
const limited = (body: Record<string, unknown>) => ({
  ...body,
  ...("batch_size" in body && Number(body["batch_size"]) > 1 && { batch_size: 1 }),
  ...("n_iter" in body && Number(body["n_iter"]) > 1 && { n_iter: 1 }),
  ...("steps" in body && Number(body["steps"]) > 50 && { steps: 4 }),
});

test.each(Object.entries(PARSERS))("%s", { timeout: 60_000 }, async (route, parse) => {
  let graphs = 0;
  await fc.assert(
    fc.asyncProperty(NASTY_BODIES[route]!, fc.boolean(), async (body, isWhole) => {
      const startedAt = performance.now();
      try {
        await parse(isWhole ? body : limited(body)).build(inventory);
        graphs += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(EndpointError);
        expect(ERRORS[(error as EndpointError).code].httpStatus).toBeLessThan(500);
      }
      expect(performance.now() - startedAt).toBeLessThan(PATIENCE_MS);
    }),
    { numRuns: RUNS },
  );
  expect(graphs, "bodies that are not refused").toBeGreaterThan(RUNS / 20);
});
