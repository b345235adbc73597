/** `img2img_background_color`: what shows through transparent pictures. */
import sharp from "sharp";
import { expect, test } from "vitest";
import { parseImg2Img } from "../../../../../handler/request/sdapi/img2img.ts";
import { loadInventory } from "../../../../support/catalogue.ts";
import { decode } from "../../../../support/pictures.ts";
import { rejectionOf } from "../../../../support/thrown.ts";

const inventory = await loadInventory(["a.safetensors"]);
const background = { r: 200, g: 100, b: 0, alpha: 0.4 };
const PICTURE = await sharp({ create: { width: 64, height: 64, channels: 4, background } })
  .png()
  .toBuffer();
const BODY = { steps: 4, width: 64, height: 64, init_images: [PICTURE.toString("base64")] };

async function firstPixel(override_settings: object): Promise<number[]> {
  const { inputs } = await parseImg2Img({ ...BODY, override_settings }).build(inventory);
  return [...(await decode(inputs![0]!.bytes)).data.subarray(0, 3)];
}

/** Pillow, of (200, 100, 0, 102): `Image.new("RGBA", size, colour)`, then `paste` with the picture as its mask. */
test.each<[options: object, expected: number[]]>([
  [{}, [233, 193, 153]],
  [{ img2img_background_color: "#ffffff" }, [233, 193, 153]],
  [{ img2img_background_color: "#000000" }, [80, 40, 0]],
  [{ img2img_background_color: "#0F0" }, [80, 193, 0]],
  [{ img2img_background_color: "#102030" }, [90, 59, 29]],
])("%j", async (options, expected) => {
  expect(await firstPixel(options)).toEqual(expected);
});

test.each(["white", "#12", "#1234567", 5])("%j is a mistake", async (img2img_background_color) => {
  const refused = async () => firstPixel({ img2img_background_color });
  expect(await rejectionOf(refused())).toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("override_settings.img2img_background_color"),
  });
});
