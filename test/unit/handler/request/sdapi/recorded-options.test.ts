import { expect, test } from "vitest";
import { parseTxt2Img } from "../../../../../handler/request/sdapi/txt2img.ts";
import { Styles } from "../../../../../handler/styles/styles.ts";
import recorded from "../../../../fixtures/sdapi/infotext.json" with { type: "json" };
import { loadInventory } from "../../../../support/catalogue.ts";
import { completed, output } from "../../../../support/completed.ts";

interface Generated {
  name: string;
  request: Record<string, unknown>;
  images: unknown[];
  info?: { infotexts: string[]; styles: string[]; extra_generation_params: object; index_of_first_image: number };
  infotexts?: string[];
  extra_generation_params?: object;
}

/** The styles that `infotext.json` was recorded with. */
const styles = new Styles([
  { name: "photo", prompt: "photo of {prompt}, 8k", negativePrompt: "blurry" },
  { name: "best", prompt: "masterpiece, best quality", negativePrompt: "lowres" },
]);
const inventory = await loadInventory(["v1-5-pruned-emaonly.safetensors"], "own");

const NAMES = [
  "styles",
  "unknown style",
  "hires styles",
  "clip skip 1",
  "clip skip 2",
  "no model in info",
  "no hash",
  "no version",
  "token merging",
  "token merging hr",
  "old scheduling",
  "no comments option",
];
const CASES = (recorded.create as unknown as Generated[]).filter(({ name }) => NAMES.includes(name));

test("every name is of a recorded request", () => {
  expect(CASES.map(({ name }) => name).sort()).toEqual(NAMES.toSorted());
});

/** The hash is the installation's, and the version has our name. */
const comparable = (infotext: string) =>
  infotext.replace(/, Model hash: [^,]+/, "").replace(/, Version: [^,]+/, ", Version: any");

test.each(CASES)("$name: the infotext is A1111's", async ({ request, images, info, infotexts, ...rest }) => {
  const built = await parseTxt2Img(request, { styles }).build(inventory);
  const answer = built.encode(completed(images.map(() => output()))) as { info: string };
  const ours = JSON.parse(answer.info) as NonNullable<Generated["info"]>;
  const theirs = infotexts ?? info!.infotexts;
  expect(ours.infotexts.map(comparable)).toEqual(theirs.map(comparable));
  expect(ours.extra_generation_params).toEqual(rest.extra_generation_params ?? info!.extra_generation_params);
  expect(ours.styles).toEqual(info?.styles ?? request["styles"] ?? []);
});

test("batch 2 with grid: so it is here for who asks for a grid", async () => {
  const { request, images, info } = (recorded.create as unknown as Generated[]).find(
    ({ name }) => name === "batch 2 with grid",
  )!;
  const built = await parseTxt2Img({ ...request, override_settings: { return_grid: true } }).build(inventory);
  const answer = built.encode(completed(images.map(() => output()))) as { info: string };
  const ours = JSON.parse(answer.info) as NonNullable<Generated["info"]>;
  expect(ours.infotexts.map(comparable)).toEqual(info!.infotexts.map(comparable));
  expect(ours.index_of_first_image).toBe(info!.index_of_first_image);
});
