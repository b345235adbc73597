import { describe, expect, test } from "vitest";
import { type InpaintRequest, prepareInpaint } from "../../../../handler/pictures/inpaint.ts";
import type { Raster } from "../../../../handler/pictures/raster.ts";
import golden from "../../../fixtures/sdapi/geometry.json" with { type: "json" };
import { boxMask, latentRows, pixelAt, ramp, rowOf, solid } from "../../../support/rasters.ts";
import { rejectionOf } from "../../../support/thrown.ts";

const WHITE = [40, 30, 80, 60];
/** A1111's fields, with the API's defaults. */
interface Fields {
  mask_blur?: number;
  inpainting_fill?: number;
  inpaint_full_res?: boolean;
  inpaint_full_res_padding?: number;
  inpainting_mask_invert?: number;
  resize_mode?: number;
}

const requestOf = (
  size: [number, number],
  fields: Fields,
  mask?: Raster,
  pictures = [ramp(160, 120)],
): InpaintRequest => ({
  pictures,
  mask,
  width: size[0],
  height: size[1],
  resizeMode: fields.resize_mode ?? 0,
  maskBlurX: fields.mask_blur ?? 4,
  maskBlurY: fields.mask_blur ?? 4,
  invert: fields.inpainting_mask_invert === 1,
  fullRes: fields.inpaint_full_res ?? true,
  padding: fields.inpaint_full_res_padding ?? 0,
  fill: fields.inpainting_fill ?? 0,
  maskRound: true,
});

const masked = (white: number[] | null, size = [160, 120]) => boxMask(size, white ? [white] : []);

describe("pictures and masks are prepared as A1111 prepares them", () => {
  const cases = golden.inpaint_init.map(
    (it) => [JSON.stringify([it.image, it.white, it.width, it.height, it.args]), it] as const,
  );
  test.each(cases)("%s", async (_name, { image, white, width, height, args, ...expected }) => {
    const request = requestOf([width, height], args, masked(white, image), [ramp(image[0]!, image[1]!)]);
    const { pictures, mask, infotext, restore, notes } = await prepareInpaint(request);
    const [encoded] = pictures;
    expect([encoded!.width, encoded!.height]).toEqual(expected.encoded_image);
    const probes = expected.encoded_probes as [number, number, number[]][];
    expect(probes.map(([x, y]) => [x, y, pixelAt(encoded!, x, y)])).toEqual(probes);
    expect(mask ? latentRows(mask) : null).toEqual(expected.latent_mask_rows);
    expect({ "Denoising strength": 0.75, ...infotext }).toEqual(expected.extra);
    const isWithoutOverlay = expected.overlay_size === null;
    expect(notes.length).toBe(isWithoutOverlay ? 1 : 0);

    const painted = solid(width, height, [255, 0, 255]);
    const restored = restore(painted, 0);
    if (isWithoutOverlay) expect(restored).toBe(painted);
    if (expected.paste_to) {
      expect([restored.width, restored.height]).toEqual(expected.overlay_size);
      const [left, top, wide, high] = expected.paste_to as [number, number, number, number];
      const outside = (_: number, at: number) => {
        const [x, y] = [Math.trunc(at / 3) % restored.width, Math.trunc(at / 3 / restored.width)];
        return x < left || x >= left + wide || y < top || y >= top + high;
      };
      expect(restored.data.filter(outside)).toEqual(request.pictures[0]!.data.filter(outside));
    }
  });
});

describe("pictures come back in A1111's size", () => {
  const cases = golden.img2img_sizes as [number[], number, number, Fields & { mask?: string }, number, number[]][];
  test.each(cases)("%j, %d, %d, %j", async (image, width, height, { mask, ...sent }, _status, expected) => {
    // Recorded with this fill: with the others A1111 fails where a latent is resized.
    const fields = { ...sent, inpainting_fill: 1 };
    const white = mask === "blank" ? null : WHITE;
    const request = requestOf([width, height], fields, mask ? masked(white, image) : undefined, [
      ramp(image[0]!, image[1]!),
    ]);
    const { size, pictures, restore } = await prepareInpaint(request);
    for (const side of [size.width, size.height, pictures[0]!.width, pictures[0]!.height]) expect(side % 8).toBe(0);
    const { width: wide, height: high } = restore(solid(size.width, size.height, [0, 0, 0]), 0);
    expect([wide, high]).toEqual(expected);
  });
});

const inpaint = (fields: Fields, mask = masked(WHITE), pictures?: Raster[]) =>
  prepareInpaint(requestOf([64, 64], fields, mask, pictures));

test.each([true, false])(
  "pixels outside the blurred mask are the original's to the byte (only masked: %s)",
  async (fullRes) => {
    const source = ramp(64, 64);
    const mask = boxMask([64, 64], [[20, 20, 30, 30]]);
    const { restore } = await inpaint({ inpaint_full_res: fullRes, inpaint_full_res_padding: 8 }, mask, [source]);
    const restored = restore(solid(64, 64, [255, 0, 255]), 0);
    // The blur reaches 10 pixels.
    const isOutside = (x: number, y: number) => x < 10 || y < 10 || x >= 40 || y >= 40;
    for (let y = 0; y < 64; y++)
      for (let x = 0; x < 64; x++) if (isOutside(x, y)) expect(pixelAt(restored, x, y)).toEqual(pixelAt(source, x, y));
    expect(pixelAt(restored, 25, 25)).not.toEqual(pixelAt(source, 25, 25));
  },
);

describe("what is under the mask", () => {
  const content = async (fill: number) => {
    const { pictures, infotext } = await inpaint({ inpainting_fill: fill });
    return { picture: pictures[0]!, said: infotext["Masked content"] };
  };

  test("stays with 1, and is filled with colours around it with 0, 2 and 3", async () => {
    const [filled, original, noise, nothing] = await Promise.all([0, 1, 2, 3].map(content));
    expect(pixelAt(original!.picture, 32, 32)).not.toEqual(pixelAt(filled!.picture, 32, 32));
    expect([noise!.picture, nothing!.picture]).toEqual([filled!.picture, filled!.picture]);
    expect([filled, original, noise, nothing].map((it) => it!.said)).toEqual([
      "fill",
      undefined,
      "latent noise",
      "latent nothing",
    ]);
  });
});

test("each picture of several is prepared, and comes back into itself, in every batch", async () => {
  const [one, two] = [solid(64, 64, [10, 20, 30]), solid(96, 64, [40, 50, 60])];
  const { pictures, restore } = await inpaint({ inpainting_fill: 1, inpaint_full_res: false }, boxMask([64, 64], []), [
    one,
    two,
  ]);
  expect(pictures.map((picture) => rowOf(picture, 0).slice(0, 3))).toEqual([
    [10, 20, 30],
    [40, 50, 60],
  ]);
  const painted = solid(64, 64, [0, 0, 0]);
  expect([0, 1, 2, 3].map((index) => restore(painted, index).data[0])).toEqual([10, 40, 10, 40]);
});

test("one picture is the original of all of a batch", async () => {
  const { restore } = await inpaint({ inpainting_fill: 1 }, boxMask([160, 120], [WHITE]));
  const painted = solid(64, 64, [0, 0, 0]);
  expect(restore(painted, 3)).toEqual(restore(painted, 0));
});

test("a translucent picture stands on white", async () => {
  const clear: Raster = { width: 64, height: 64, channels: 4, data: new Uint8Array(64 * 64 * 4) };
  const { pictures, mask } = await prepareInpaint(requestOf([64, 64], {}, undefined, [clear]));
  expect([pictures[0]!.channels, new Set(pictures[0]!.data), mask]).toEqual([3, new Set([255]), undefined]);
});

test("a picture that is no multiple of 8 loses its right and lower edge", async () => {
  const { pictures, size } = await prepareInpaint(requestOf([64, 64], { resize_mode: 3 }, undefined, [ramp(163, 125)]));
  expect([pictures[0]!.width, pictures[0]!.height, size]).toEqual([160, 120, { width: 64, height: 64 }]);
  expect(rowOf(pictures[0]!, 119)).toEqual(rowOf(ramp(163, 125), 119).slice(0, 480));
});

test.each([
  ["a picture that is smaller than a latent pixel", { resize_mode: 3 }, undefined, [ramp(7, 64)], /^7x64 is too small/],
  [
    "other content under the mask of a latent that is resized",
    { resize_mode: 3, inpaint_full_res: false },
    masked(WHITE),
    undefined,
    /^inpainting_fill 0 with resize_mode 3 needs a picture of 64x64, not 160x120/,
  ],
] as const)("refused is %s", async (_name, fields, mask, pictures, message) => {
  const error = await rejectionOf(prepareInpaint(requestOf([64, 64], fields, mask, pictures && [...pictures])));
  expect(error.code).toBe("invalid_request");
  expect(error.message).toMatch(message);
});
