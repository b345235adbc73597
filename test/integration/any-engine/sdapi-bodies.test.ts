/** Requests of A1111's clients: the engine accepts and runs each graph, and what cannot be is refused in words. */
import { beforeAll, describe, expect, test } from "vitest";
import type { RunningEndpoint } from "../../support/endpoint.ts";
import { decode } from "../../support/pictures.ts";
import { draw, sharedEndpoint } from "../../support/sdapi.ts";
import { SDAPI_BODIES, type SdapiBody, withModels } from "../../support/sdapi-bodies.ts";

let endpoint: RunningEndpoint;
beforeAll(() =>
  sharedEndpoint((running) => {
    endpoint = running;
  }),
);

/** An eighth of each side, for a CPU; the nodes are the same. */
const SMALLER = 8;
const SIDES = ["width", "height"];
const small = (body: Record<string, unknown>): Record<string, unknown> => ({
  ...Object.fromEntries(SIDES.map((side) => [side, 512 / SMALLER])),
  ...withModels(body),
  ...Object.fromEntries(SIDES.flatMap((side) => (side in body ? [[side, Number(body[side]) / SMALLER] as const] : []))),
});

const titled = (bodies: readonly SdapiBody[]) => bodies.map((it) => [it.what, it] as const);

describe("pictures", () => {
  test.each(titled(SDAPI_BODIES.filter(({ sizes }) => sizes)))("%s", async (_, { route, body, sizes = [] }) => {
    // Only-masked inpainting gives the size of the picture that was sent.
    const isWhole = "inpaint_full_res" in body && body["inpaint_full_res"] === true;
    const wanted = sizes.map((side) => side.map((pixels) => (isWhole ? pixels : pixels / SMALLER)));
    const { pictures, images, info, parameters } = await draw(endpoint, route, small(body));
    expect(pictures.map(({ width, height }) => [width, height])).toEqual(wanted);
    expect(info["index_of_first_image"]).toBe(0);
    const [seed] = info.all_seeds;
    expect(info.all_seeds).toEqual(images.map((_image, index) => Number(seed) + index));
    expect(info["seed"]).toBe(seed);
    expect(Number(body["seed"] ?? -1) < 0 || body["seed"] === seed).toBe(true);
    expect(parameters["init_images"] ?? null).toBeNull();
  });
});

test.each(titled(SDAPI_BODIES.filter(({ enlarged }) => enlarged)))("%s", async (_, { route, body, enlarged }) => {
  const response = await endpoint.post(`/sdapi/v1/${route}`, withModels(body));
  const answer = await response.text();
  expect(response.status, answer).toBe(200);
  const { image, html_info } = JSON.parse(answer) as { image: string; html_info: string };
  const { width, height } = await decode(Buffer.from(image, "base64"));
  expect([width, height]).toEqual(enlarged);
  expect(html_info).toMatch(/Postprocess upscaler: tiny-2x/);
});

describe("refusals", () => {
  test.each(titled(SDAPI_BODIES.filter(({ refused }) => refused)))("%s", async (_, { route, body, refused }) => {
    const [status, text] = refused!;
    const response = await endpoint.post(`/sdapi/v1/${route}`, withModels(body));
    const answer = await response.text();
    expect([response.status, answer]).toEqual([status, expect.stringMatching(text)]);
  });

  test("no such route", async () => {
    const response = await fetch(`${endpoint.url}/sdapi/v1/nope`);
    expect([response.status, await response.json()]).toEqual([404, { detail: "Not Found" }]);
  });
});
