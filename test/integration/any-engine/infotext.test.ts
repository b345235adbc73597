/** Infotexts on their whole way: into the picture, out of it, and back into a request. */
import { beforeAll, expect, test } from "vitest";
import { type RunningEndpoint, startEndpoint } from "../../support/endpoint.ts";
import { colourGraph, quickTxt2Img } from "../../support/payloads.ts";
import { decode, pngText } from "../../support/pictures.ts";

let endpoint: RunningEndpoint;
beforeAll(async () => {
  const stops: (() => Promise<void>)[] = [];
  endpoint = await startEndpoint({}, (stop) => stops.push(stop));
  return async () => {
    for (const stop of stops) await stop();
  };
});

async function call<T>(route: string, body: object): Promise<T> {
  const response = await endpoint.post(`/sdapi/v1/${route}`, body);
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return JSON.parse(text) as T;
}

interface Generated {
  images: string[];
  info: string;
  parameters: Record<string, unknown>;
}

interface PngInfo {
  info: string;
  items: Record<string, string>;
  parameters: Record<string, unknown>;
}

const infotextsOf = ({ info }: Generated) => (JSON.parse(info) as { infotexts: string[] }).infotexts;
/** The checkpoint's hash is found in the background: the first pictures do not know it yet. */
const withoutHash = (infotext: string) => infotext.replace(/Model hash: \w+, /, "");
const bytesOf = (image: string | undefined) => Buffer.from(image!, "base64");

/** Nothing of it is A1111's default. */
const REQUEST = {
  prompt: "ein Füchslein, 日本\nwith two lines: and, commas",
  negative_prompt: "blurry",
  steps: 3,
  seed: "18446744073709551614",
  cfg_scale: 5.5,
  width: 72,
  height: 80,
  sampler_name: "Heun",
  scheduler: "Karras",
};

test("the infotext of a picture makes the same picture again", async () => {
  const first = await call<Generated>("txt2img", { ...REQUEST, batch_size: 2 });
  for (const [index, infotext] of infotextsOf(first).entries()) {
    const found = await call<PngInfo>("png-info", { image: first.images[index] });
    expect(found.info).toBe(infotext);
    expect(found.parameters).toMatchObject({ Steps: "3", "CFG scale": "5.5", "Size-1": "72" });

    const again = await call<Generated>("txt2img", { infotext: found.info });
    expect(infotextsOf(again).map(withoutHash)).toEqual([withoutHash(infotext)]);
    const [before, after] = await Promise.all([decode(bytesOf(first.images[index])), decode(bytesOf(again.images[0]))]);
    expect(after.data.equals(before.data), `picture ${index}`).toBe(true);
  }
});

test("what the request says itself goes before its infotext", async () => {
  const [infotext] = infotextsOf(await call<Generated>("txt2img", quickTxt2Img({ seed: 7 })));
  const answer = await call<Generated>("txt2img", { infotext, seed: 9, width: 128 });
  expect(answer.parameters).toMatchObject({ seed: 9, width: 128, height: 64, infotext });
});

test("the picture has no graph in it; a raw graph's picture has, and no infotext", async () => {
  const { images } = await call<Generated>("txt2img", quickTxt2Img({ prompt: "plain" }));
  const { items, info } = await call<PngInfo>("png-info", { image: images[0] });
  expect(info).toMatch(/^plain\nSteps: /);
  expect(Object.keys(items).filter((key) => key !== "engine")).toEqual([]);

  const response = await endpoint.post("/prompt", { prompt: colourGraph(0x336699) });
  const { images: raw } = (await response.json()) as { images: string[] };
  expect(await pngText(bytesOf(raw[0]), "prompt")).toContain("SaveImage");
  expect(await pngText(bytesOf(raw[0]), "parameters")).toBeUndefined();
});

test.each([
  ["jpg", "ffd8ff"],
  ["webp", "52494646"],
])("as %s the picture carries its infotext too", async (samples_format, head) => {
  const answer = await call<Generated>("txt2img", { ...REQUEST, override_settings: { samples_format } });
  const [image] = answer.images;
  expect(bytesOf(image).toString("hex")).toMatch(new RegExp(`^${head}`));
  expect(await decode(bytesOf(image))).toMatchObject({ width: 72, height: 80 });
  expect((await call<PngInfo>("png-info", { image: `data:image/${samples_format};base64,${image}` })).info).toBe(
    infotextsOf(answer)[0],
  );
});
