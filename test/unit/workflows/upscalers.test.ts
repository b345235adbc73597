import { describe, expect, test } from "vitest";
import { enlargement, findUpscaleModel, modelEnlargement, nameUpscaleModels } from "../../../workflows/upscalers.ts";
import { thrownBy } from "../../support/thrown.ts";

const FILES = [
  "4x-UltraSharp.pth",
  "RealESRGAN_x4plus.pth",
  "sub/RealESRGAN_x2plus.safetensors",
  "scunet_color_real_gan.pth",
  "003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_GAN.pth",
  "tiny-2x.safetensors",
];

test.each<[string, string, number, number | undefined, boolean]>([
  ["RealESRGAN_x4plus.pth", "R-ESRGAN 4x+", 4, 4, true],
  ["RealESRGAN_x4plus_anime_6B.pth", "R-ESRGAN 4x+ Anime6B", 4, 4, true],
  ["deep/RealESRGAN_x2plus.safetensors", "R-ESRGAN 2x+", 2, 2, true],
  ["realesr-general-x4v3.pth", "R-ESRGAN General 4xV3", 4, 4, true],
  ["realesr-general-wdn-x4v3.pth", "R-ESRGAN General WDN 4xV3", 4, 4, true],
  ["realesr-animevideov3.pth", "R-ESRGAN AnimeVideo", 4, 4, true],
  ["ESRGAN.pth", "ESRGAN_4x", 4, 4, false],
  ["DAT_x3.pth", "DAT x3", 3, 3, false],
  ["scunet_color_real_psnr.pth", "ScuNET PSNR", 4, 1, false],
  ["RealESRGAN_x2plus_v2.pth", "RealESRGAN_x2plus_v2", 2, 2, true],
  ["4x-UltraSharp.pth", "4x-UltraSharp", 4, 4, false],
  ["8x_NMKD-Superscale.pth", "8x_NMKD-Superscale", 8, 8, false],
  ["BSRGANx2.pth", "BSRGANx2", 2, 2, false],
  ["hex4chan.pth", "hex4chan", 4, undefined, false],
  ["tiny-2x.safetensors", "tiny-2x", 2, 2, false],
  ["0x0.pth", "0x0", 4, undefined, false],
])("%s is %s, with scale %d", (file, name, scale, factor, isRealEsrgan) => {
  expect(nameUpscaleModels([file])).toEqual([{ name, file, scale, factor, isRealEsrgan }]);
});

describe("a name", () => {
  test.each([
    ["R-ESRGAN 4x+", "RealESRGAN_x4plus.pth", 4],
    ["RealESRGAN_x4plus", "RealESRGAN_x4plus.pth", 4],
    ["realesrgan_x4plus.pth", "RealESRGAN_x4plus.pth", 4],
    ["R-ESRGAN 2x+", "sub/RealESRGAN_x2plus.safetensors", 2],
    ["sub/RealESRGAN_x2plus.safetensors", "sub/RealESRGAN_x2plus.safetensors", 2],
    ["SwinIR 4x", "003_realSR_BSRGAN_DFOWMFC_s64w8_SwinIR-L_x4_GAN.pth", 4],
    ["ScuNET GAN", "scunet_color_real_gan.pth", 1],
    ["tiny-2x", "tiny-2x.safetensors", 2],
  ])("%s is the file %s", (name, file, factor) => {
    expect(findUpscaleModel("upscaler_1", name, FILES)).toMatchObject({ file, factor });
  });

  test.each(["nope", "", "lanczos", "constructor", "R-ESRGAN AnimeVideo"])("%j is refused in A1111's words", (name) => {
    const error = thrownBy(() => findUpscaleModel("upscaler_1", name, FILES));
    expect(error.code).toBe("unknown_model");
    expect(error.message).toContain(`upscaler_1: could not find upscaler named ${name};`);
    expect(error.message).toContain("None, Lanczos, Nearest, 4x-UltraSharp, R-ESRGAN 4x+, R-ESRGAN 2x+");
  });

  test("LDSR is refused by name", () => {
    const error = thrownBy(() => findUpscaleModel("upscaler_2", "LDSR", FILES));
    expect(error).toMatchObject({ code: "unsupported_feature", message: expect.stringContaining("LDSR") });
  });
});

describe("how often a model is run, and the size in the end", () => {
  test.each([
    ["once when that is enough", [64, 48, 2, 4], [128, 96, 1]],
    ["again when it is not", [64, 48, 3, 2], [192, 144, 2]],
    ["three times at most", [64, 48, 16, 2], [1024, 768, 3]],
    ["once where the picture keeps its size", [64, 48, 1, 4], [64, 48, 1]],
    ["not at all where it becomes smaller", [64, 48, 0.5, 4], [32, 24, 0]],
    ["not at all where eight pixels are too much", [64, 64, 1.1, 4], [64, 64, 0]],
    ["once for a little more", [64, 64, 1.125, 2], [72, 72, 1]],
    ["once when it leaves the size alone", [64, 48, 4, 1], [256, 192, 1]],
    ["by the smaller side", [33, 21, 2.3, 2], [72, 48, 2]],
  ])("%s", (_name, [width, height, scale, factor], [wantedWidth, wantedHeight, runs]) => {
    const expected = { width: wantedWidth, height: wantedHeight, runs };
    expect(enlargement(width!, height!, scale!, factor!)).toEqual(expected);
  });
});

test("a model of unknown factor is run where every factor leads to the same", () => {
  const [model] = nameUpscaleModels(["lollypop.pth"]);
  expect(modelEnlargement(64, 64, 2, model!)).toEqual({ width: 128, height: 128, runs: 1 });
  expect(modelEnlargement(64, 64, 0.5, model!)).toEqual({ width: 32, height: 32, runs: 0 });
  const error = thrownBy(() => modelEnlargement(64, 64, 4, model!));
  expect(error.code).toBe("unsupported_feature");
  expect(error.message).toContain("rename its file, as in 4x-lollypop");
});
