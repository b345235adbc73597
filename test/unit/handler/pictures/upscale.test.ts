import { describe, expect, test } from "vitest";
import type { Raster, Size } from "../../../../handler/pictures/raster.ts";
import { resample } from "../../../../handler/pictures/resample.ts";
import { blend, resizeLanczos, resizeNearest, upscalePlain } from "../../../../handler/pictures/upscale.ts";
import recorded from "../../../fixtures/sdapi/pillow-upscale.json" with { type: "json" };

const sizeOf = ([width = 0, height = 0]: number[]): Size => ({ width, height });
const bytesOf = (base64: string) => [...Buffer.from(base64, "base64")];

describe.each(recorded.cases.map((each) => [`${each.mode} ${each.size} to ${each.to}`, each] as const))(
  "%s, to the byte as Pillow",
  (_name, { size, to, mode, pixels, ...wanted }) => {
    const channels = mode === "RGBA" ? 4 : 3;
    const source: Raster = { ...sizeOf(size), channels, data: Uint8Array.from(bytesOf(pixels)) };
    const wantedSize = sizeOf(to);

    test("Lanczos", async () => {
      const { data, ...result } = await resizeLanczos(source, wantedSize);
      expect(result).toEqual({ ...wantedSize, channels });
      expect([...data]).toEqual(bytesOf(wanted.lanczos));
    });

    test("Nearest", async () => {
      expect([...(await resizeNearest(source, wantedSize)).data]).toEqual(bytesOf(wanted.nearest));
    });

    test.each(Object.entries(wanted.blend))("both, the second seen by %s", async (visibility, blended) => {
      const second = await resizeNearest(source, wantedSize);
      const { data } = await blend(await resizeLanczos(source, wantedSize), second, Number(visibility));
      expect([...data]).toEqual(bytesOf(blended));
    });
  },
);

test("a large picture is made in pieces, which nobody sees", async () => {
  const data = Uint8Array.from({ length: 1300 * 1100 * 3 }, (_, at) => (at * at) >> 7);
  const source: Raster = { width: 1300, height: 1100, channels: 3, data };
  for (const size of [
    { width: 1403, height: 1517 },
    { width: 1300, height: 1024 },
    { width: 900, height: 1100 },
  ]) {
    const inPieces = await resizeLanczos(source, size);
    expect(Buffer.from(inPieces.data).equals(resample(source, size, "lanczos").data)).toBe(true);
  }
});

test("a second picture takes the first one's channels", async () => {
  const opaque: Raster = { width: 1, height: 1, channels: 3, data: Uint8Array.of(10, 20, 30) };
  const clear = (): Raster => ({ width: 1, height: 1, channels: 4, data: Uint8Array.of(30, 40, 50, 55) });
  expect([...(await blend(clear(), opaque, 0.5)).data]).toEqual([20, 30, 40, 155]);
  expect([...(await blend({ ...opaque, data: opaque.data.slice() }, clear(), 0.5)).data]).toEqual([20, 30, 40]);
});

test("what becomes smaller goes by Lanczos alone, also where Nearest was asked for", async () => {
  const data = Uint8Array.from({ length: 16 * 16 * 3 }, (_, at) => at % 251);
  const source: Raster = { width: 16, height: 16, channels: 3, data };
  expect(await upscalePlain(source, "nearest", 0.5)).toEqual(await resizeLanczos(source, { width: 8, height: 8 }));
});
