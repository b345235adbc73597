/** What comes back: the outputs, whole, in order and in the format that was asked for; and what is kept of them and written about them. */
import sharp from "sharp";
import { expect, test } from "vitest";
import { colourGraph, longTextGraph, quickTxt2Img } from "../../support/payloads.ts";
import { pngText } from "../../support/pictures.ts";
import { type Block, firstPixel } from "../block.ts";

/** One that JavaScript's numbers do not hold. */
const SEED = "9007199254740993";
const PROMPT = "ein Bär, 北京, \u{1f431}";
/** Letters; more than any platform carries that has a limit. */
export const HUGE = 10_240_000;
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const SECRET = "comfyui-a-key-that-nobody-may-read";

export function answers({ platform, driver, having, outputsOf, colourOf, runsOf }: Block): void {
  test("is answered with its result, under the id that it came with", async () => {
    const outcome = await driver().invoke({ prompt: colourGraph(0x405060) }, { id: "named" });
    expect(outcome).toMatchObject({ status: "succeeded", id: "named", outputs: [expect.any(Buffer)] });
    expect(runsOf("named")).toBe(1);
  });

  test("gets its own answer among others that come at once", async () => {
    const colours = [0x010203, 0x040506, 0x070809];
    const pixels = await Promise.all(colours.map((colour, index) => colourOf(`among-${index}`, colour)));
    expect(pixels).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
  });

  test("has its seed digit for digit in its picture, and its prompt letter for letter", async () => {
    const request = quickTxt2Img({ prompt: PROMPT, seed: exactly(SEED) });
    const [picture] = await outputsOf("exact", request);
    const infotext = await pngText(picture!, "parameters");
    expect(infotext?.split("\n")[0]).toBe(PROMPT);
    expect(infotext).toContain(`Seed: ${SEED},`);
  });

  test("has the long numbers of its graph digit for digit", async () => {
    const graph = { ...longTextGraph(1), "1": { class_type: "PrimitiveInt", inputs: { value: exactly(SEED) } } };
    expect(String(await outputsOf("long-number", { prompt: graph }))).toBe(SEED);
  });

  test("has its text letter for letter", async () => {
    expect(String(await outputsOf("text", { prompt: longTextGraph(3, PROMPT) }))).toBe(PROMPT.repeat(3));
  });

  test("has all of its outputs, in the order of its nodes", async () => {
    const pictures = await outputsOf("several", { prompt: severalOutputs([3, 10, 9]) });
    expect(await Promise.all(pictures.map(firstPixel))).toEqual([
      [0, 0, 3],
      [0, 0, 9],
      [0, 0, 10],
    ]);
  });

  test.each(["jpeg", "webp"])("has its picture as %s where it asks for that", async (format) => {
    const [picture] = await outputsOf(`as-${format}`, { prompt: colourGraph(0xff0000), convert_output: { format } });
    expect(await sharp(picture).metadata()).toMatchObject({ format, width: 64 });
  });

  test("is refused when its graph makes nothing that could come back", async () => {
    const graph = { "1": colourGraph(1)["1"] };
    expect(await driver().invoke({ prompt: graph }, { id: "no-output" })).toMatchObject({
      status: "failed",
      code: "invalid_workflow",
      retryable: false,
    });
  });

  test(`F16: with an answer of 10 MB ${platform.lacks["largest answer"] ? "is answered" : "fails by a code, and says what helps"}`, async () => {
    const outcome = await driver().invoke({ prompt: hugeTextGraph() }, { id: "huge" });
    expect(outcome).toMatchObject(
      platform.lacks["largest answer"]
        ? { status: "succeeded", outputs: [{ length: HUGE }] }
        : {
            status: "failed",
            code: "output_too_large",
            retryable: false,
            message: expect.stringContaining("S3_BUCKET"),
          },
    );
  });

  having("trace")("has its caller's trace in its log lines", async () => {
    await driver().invoke({ prompt: colourGraph(3) }, { id: "traced", trace: TRACE });
    const lines = driver().worker.log.filter(({ invocationId }) => invocationId === "traced");
    expect(lines.map((line) => line[platform.traceField!])).toEqual(lines.map(() => TRACE));
    expect(lines.length).toBeGreaterThan(1);
  });
}

export function logLines({ driver }: Block): void {
  test("has its id and its platform in its log lines, also when it is refused", async () => {
    const { invoke, worker } = driver();
    await invoke({ prompt: colourGraph(4) }, { id: "line-served" });
    await invoke(quickTxt2Img({ steps: "many" }), { id: "line-refused" });
    const linesOf = (id: string) =>
      worker.log
        .filter(({ invocationId, platform }) => invocationId === id && typeof platform === "string")
        .map(({ message }) => message);
    expect(linesOf("line-served")).toEqual(
      expect.arrayContaining(["invocation received", "prompt queued", "invocation finished"]),
    );
    expect(linesOf("line-refused")).toContain("invocation failed");
  });

  test("has neither its pictures nor its keys in the log, also when it is refused", async () => {
    const { invoke, worker } = driver();
    const picture = await sharp({ create: { width: 64, height: 64, channels: 3, background: "#123456" } })
      .png()
      .toBuffer();
    const data = picture.toString("base64");
    const noPicture = Buffer.from(SECRET.repeat(10)).toString("base64");
    await invoke(quickTxt2Img({ init_images: [data] }), { id: "secret-picture" });
    await invoke(quickTxt2Img({ init_images: [noPicture] }), { id: "secret-refused" });
    const keys = { extra_data: { api_key_comfy_org: SECRET } };
    await invoke({ prompt: colourGraph(5), ...keys }, { id: "secret-key" });
    await invoke({ prompt: { "1": { class_type: "NoSuchNode", inputs: {} } }, ...keys }, { id: "secret-key-refused" });
    const text = JSON.stringify(worker.log);
    expect(text).toContain("secret-picture");
    for (const hidden of [data, noPicture, SECRET]) expect(text).not.toContain(hidden.slice(0, 30));
  });
}

/** JSON's own digits, which are more than a number holds. */
const exactly = (digits: string): unknown => (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(digits);

/** A picture for each colour, saved by the node of that number. */
function severalOutputs(colours: readonly number[]) {
  const nodes = colours.flatMap((colour) => {
    const { "1": made, "2": saved } = colourGraph(colour);
    const maker = `${100 + colour}`;
    return [
      [maker, made],
      [`${colour}`, { ...saved, inputs: { ...saved!.inputs, images: [maker, 0] } }],
    ];
  });
  return Object.fromEntries(nodes);
}

/** A short request for so many letters. */
export function hugeTextGraph() {
  const doublings = Array.from({ length: 7 }, (_, index) => [
    `${index + 2}`,
    {
      class_type: "StringConcatenate",
      inputs: { string_a: [`${index + 1}`, 0], string_b: [`${index + 1}`, 0], delimiter: "" },
    },
  ]);
  return {
    "1": { class_type: "PrimitiveString", inputs: { value: "x".repeat(HUGE / 128) } },
    ...Object.fromEntries(doublings),
    "9": { class_type: "PreviewAny", inputs: { source: ["8", 0] } },
  };
}
