/** Whatever comes in is a graph or one of our refusals, and takes no time that shows. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseImg2Img } from "../../../../../handler/request/sdapi/img2img.ts";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import { EndpointError, ERRORS } from "../../../../../runtime/errors.ts";
import { loadInventory } from "../../../../support/catalogue.ts";
import { NASTY_BODIES } from "../../../../support/nasty-bodies.ts";
import { rejectionOf } from "../../../../support/thrown.ts";

/** With the number of bodies; those of img2img take milliseconds, for their pictures. */
const PARSERS = [
  ["txt2img", parseTxt2Img, 3000],
  ["img2img", parseImg2Img, 200],
] as const;
const PATIENCE_MS = 2_000;

const inventory = await loadInventory();

const isAbove = (value: unknown, limit: number) =>
  (typeof value === "number" || typeof value === "string") && Number(value) > limit;
/** A graph of thousands of pictures takes its time, and that of thousands of steps of alternation. */
const limited = (body: Record<string, unknown>) => ({
  ...body,
  ...(isAbove(body["batch_size"], 1) && { batch_size: 1 }),
  ...(isAbove(body["n_iter"], 1) && { n_iter: 1 }),
  ...(isAbove(body["steps"], 50) && { steps: 4 }),
});

test.each(PARSERS)("%s", { timeout: 60_000 }, async (route, parse, numRuns) => {
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
    { numRuns },
  );
  expect(graphs, "bodies that are not refused").toBeGreaterThan(numRuns / 20);
});

test.each([
  [parseTxt2Img, { enable_hr: true, denoising_strength: 5e-324 }],
  [parseImg2Img, { init_images: [""], override_settings: { img2img_fix_steps: true }, denoising_strength: 1e-9 }],
])("a schedule that fits in no memory is refused: %s %j", async (parse, body) => {
  const error = await rejectionOf((async () => (parse as typeof parseTxt2Img)(body).build(inventory))());
  expect(error.message).toMatch(/^denoising_strength: is too small/);
});
