/** A line of text on a picture, from a built-in 3x5 font: servers often have no fonts. */
import type { ImageBatch } from "./node.ts";

/** Rows of three bits, top to bottom, as five octal digits. */
const GLYPHS: Record<string, string> = {
  a: "25755", b: "65656", c: "34443", d: "65556", e: "74647", f: "74644", g: "34553", h: "55755", i: "72227", j: "11152",
  k: "55655", l: "44447", m: "57755", n: "65555", o: "25552", p: "65644", q: "25563", r: "65655", s: "34216", t: "72222",
  u: "55557", v: "55552", w: "55775", x: "55255", y: "55222", z: "71247", "0": "25552", "1": "26227", "2": "61247",
  "3": "61216", "4": "55711", "5": "74616", "6": "34652", "7": "71222", "8": "25252", "9": "25316", ".": "00002",
  ",": "00024", ":": "02020", "-": "00700", "(": "12221", ")": "42224", "'": "22000", "!": "22202", "?": "61202",
}; // biome-ignore format: one glyph a line would be a column of fifty

const CELL_WIDTH = 4;
const CELL_HEIGHT = 5;
const NARROWEST = 192;

/** Writes lines into the lower left corner of every picture, light on a darkened strip; small pictures stay as they are. */
export function drawLabel(images: ImageBatch, lines: string[]): ImageBatch {
  const { batch, width, height } = images;
  if (width < NARROWEST || height < NARROWEST / 2) return images;
  const scale = Math.max(1, Math.floor(width / 256));
  const columns = Math.floor((width / scale - 4) / CELL_WIDTH);
  const rows = lines.length * (CELL_HEIGHT + 2) + 1;
  const top = height - rows * scale;
  const labelled: ImageBatch = { ...images, data: images.data.slice() };
  for (let item = 0; item < batch; item++) {
    for (let y = top; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const on = isInk(lines, columns, Math.floor(x / scale) - 2, Math.floor((y - top) / scale) - 1);
        const start = ((item * height + y) * width + x) * images.channels;
        for (let channel = 0; channel < 3; channel++)
          labelled.data[start + channel] = on ? 0.95 : labelled.data[start + channel]! * 0.45;
      }
    }
  }
  return labelled;
}

function isInk(lines: string[], columns: number, x: number, y: number): boolean {
  const line = lines[Math.floor(y / (CELL_HEIGHT + 2))];
  const row = y % (CELL_HEIGHT + 2);
  const column = Math.floor(x / CELL_WIDTH);
  if (line === undefined || x < 0 || y < 0 || row >= CELL_HEIGHT || column >= columns) return false;
  const bits = Number(GLYPHS[line[column]?.toLowerCase() ?? " "]?.[row] ?? 0);
  return ((bits >> (2 - (x % CELL_WIDTH))) & 1) === 1;
}
