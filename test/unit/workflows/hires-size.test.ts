import { describe, expect, test } from "vitest";
import { hiresSize } from "../../../workflows/hires-size.ts";
import recorded from "../../fixtures/sdapi/hires-size.json" with { type: "json" };

type Case = [
  ...numbers: [number, number, number, number, number, number, number],
  isOld: boolean,
  result: { first: number[]; upscale_to: number[]; truncate: number[]; latent_out: number[]; infotext: object },
];
type Run = [number, number, number, number, number, upscaler: string, status: number, size: number[]];

const sizing = (numbers: readonly number[], isSizeFinal: boolean) => {
  const [width, height, scale, resizeX, resizeY, firstWidth = 0, firstHeight = 0] = numbers as number[];
  return {
    width: width!,
    height: height!,
    scale: scale!,
    resizeX: resizeX!,
    resizeY: resizeY!,
    firstWidth,
    firstHeight,
    isSizeFinal,
  };
};

describe("sizes are A1111's", () => {
  test.each((recorded.cases as unknown as Case[]).map((it) => [JSON.stringify(it.slice(0, 8)), it] as const))(
    "%s",
    (_, it) => {
      const isOld = it[7];
      const expected = it[8];
      expect(hiresSize(sizing(it.slice(0, 7) as number[], isOld))).toEqual({
        first: expected.first,
        upscaled: expected.upscale_to,
        truncated: expected.truncate,
        final: expected.latent_out,
        parameter: expected.infotext,
      });
    },
  );

  test.each((recorded.runs as unknown as Run[]).map((it) => [JSON.stringify(it), it] as const))("%s", (_, it) => {
    expect(hiresSize(sizing(it.slice(0, 5) as number[], false)).final).toEqual(it[7]);
  });
});
