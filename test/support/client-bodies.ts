/** Bodies that A1111's clients send (test/fixtures/sdapi/client-bodies.json), with pictures where the fixture has their names. */
import sharp from "sharp";
import captured from "../fixtures/sdapi/client-bodies.json" with { type: "json" };

export interface ClientBody {
  client: string;
  what: string;
  path: string;
  body: Record<string, unknown>;
}

const SIDE = 512;

/** Other models than the clients' users have; the rest of a body stays as it was sent. */
const OUR_MODELS: Record<string, string> = {
  ESRGAN_4x: "tiny-2x",
  "control_v11p_sd15_canny [d14c016b]": "tiny-controlnet",
};

/** A colour gradient, and a white disc on black. */
const FILES: Record<string, string> = {
  "@picture": await pngOf((x, y) => [x / 2, y / 2, 128]),
  "@mask": await pngOf((x, y) => (Math.hypot(x - SIDE / 2, y - SIDE / 2) < SIDE / 4 ? [255, 255, 255] : [0, 0, 0])),
};

export const CLIENT_BODIES: readonly ClientBody[] = captured.bodies.map(({ client, what, path, body }) => {
  const replaced = Object.entries({ ...FILES, ...OUR_MODELS }).reduce(
    (text, [name, value]) => text.replaceAll(name, value),
    JSON.stringify(body),
  );
  return { client, what, path, body: JSON.parse(replaced) as Record<string, unknown> };
});

export const bodiesFor = (route: string) => CLIENT_BODIES.filter(({ path }) => path === `/sdapi/v1/${route}`);

async function pngOf(colour: (x: number, y: number) => number[]): Promise<string> {
  const data = Array.from({ length: SIDE * SIDE }, (_, index) => colour(index % SIDE, Math.floor(index / SIDE)));
  const raw = { width: SIDE, height: SIDE, channels: 3 as const };
  const file = await sharp(Buffer.from(data.flat()), { raw }).png().toBuffer();
  return file.toString("base64");
}
