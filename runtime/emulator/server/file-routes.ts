/** `/view` and `/upload/*`: files of the input, output and temp folders. */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Context, Hono } from "hono";
import mime from "mime";
import sharp from "sharp";
import { type Folders, folderOfType, isInside, splitAnnotation } from "../folders.ts";
import { empty, json, serverError } from "./http.ts";

const PREVIEW_QUALITY = 90;

/** Types that a browser would run: sent as downloads. */
const ACTIVE_TYPES =
  /^(text\/(html|css|xml|javascript)|application\/(javascript|xhtml\+xml|xml|ecmascript)|image\/svg\+xml)$/;

export function addFileRoutes(app: Hono, folders: Folders): void {
  app.get("/view", async (c) => {
    const file = locate(folders, c.req.query("filename"), c.req.query("type") ?? "output", c.req.query("subfolder"));
    if (typeof file === "number") return empty(file);
    const { preview, channel = "" } = c.req.query();
    if (!(await isFile(file))) return empty(404);
    if (preview !== undefined) return picturePreview(file, preview, channel);
    if (channel === "rgb" || channel === "a") return pictureChannel(file, channel);
    return wholeFile(c, file);
  });

  app.post("/upload/image", async (c) =>
    upload(folders, await readForm(c), (image, target) => writeFile(target, image)),
  );

  app.post("/upload/mask", async (c) => {
    const form = await readForm(c);
    return upload(folders, form, async (mask, target) => {
      const reference = JSON.parse(String(form.get("original_ref"))) as {
        filename: string;
        type?: string;
        subfolder?: string;
      };
      const original = locate(
        folders,
        reference.filename,
        reference.type ?? "output",
        reference.subfolder || undefined,
      );
      // ComfyUI answers with a name even when there is no original and nothing is written.
      if (typeof original === "string" && (await isFile(original))) await copyAlpha(mask, original, target);
    });
  });
}

/** The path of a file named as `/view` takes it, or the status of the refusal. */
function locate(
  folders: Folders,
  filename: string | undefined,
  type: string,
  subfolder: string | undefined,
): string | number {
  if (filename === undefined) return 404;
  const { name, folder: annotated } = splitAnnotation(filename, folders);
  if (name === "" || name.startsWith("/") || name.includes("..")) return 400;
  const folder = annotated ?? folderOfType(folders, type);
  if (folder === undefined) return 400;
  const directory = path.join(folder, subfolder ?? "");
  if (subfolder?.startsWith("/") || !isInside(folder, directory)) return 403;
  return path.join(directory, path.basename(name));
}

async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}

function disposition(file: string): string {
  return `filename="${path.basename(file).replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

function picture(bytes: Buffer, type: string, file: string): Response {
  return new Response(new Uint8Array(bytes), {
    headers: { "Content-Type": type, "Content-Disposition": disposition(file) },
  });
}

async function picturePreview(file: string, preview: string, channel: string): Promise<Response> {
  const [format, ...rest] = preview.split(";");
  const asked = rest.at(-1) ?? format ?? "";
  const quality = /^\d+$/.test(asked) ? Math.max(1, Math.min(100, Number(asked))) : PREVIEW_QUALITY;
  const isJpeg = format === "jpeg" && !channel.includes("a");
  const image = isJpeg || channel === "rgb" ? sharp(file).removeAlpha() : sharp(file);
  return isJpeg
    ? picture(await image.jpeg({ quality }).toBuffer(), "image/jpeg", file)
    : picture(await image.webp({ quality }).toBuffer(), "image/webp", file);
}

async function pictureChannel(file: string, channel: "rgb" | "a"): Promise<Response> {
  if (channel === "rgb")
    return picture(await sharp(file).removeAlpha().toColourspace("srgb").png().toBuffer(), "image/png", file);
  const { width = 1, height = 1 } = await sharp(file).metadata();
  const alpha = await sharp(file).ensureAlpha().extractChannel("alpha").raw().toBuffer();
  const black = sharp({ create: { width, height, channels: 3, background: "black" } });
  return picture(
    await black
      .joinChannel(alpha, { raw: { width, height, channels: 1 } })
      .png()
      .toBuffer(),
    "image/png",
    file,
  );
}

async function wholeFile(c: Context, file: string): Promise<Response> {
  const bytes = await readFile(file);
  const { mtime } = await stat(file);
  const type = mime.getType(file) ?? "application/octet-stream";
  const isActive = ACTIVE_TYPES.test(type);
  const headers: Record<string, string> = {
    "X-Content-Type-Options": "nosniff",
    "Content-Disposition": isActive ? `attachment; ${disposition(file)}` : disposition(file),
    "Content-Type": isActive ? "application/octet-stream" : type,
    "Last-Modified": mtime.toUTCString(),
    "Accept-Ranges": "bytes",
    ...(isActive && { Vary: "Sec-Fetch-Dest", "Cache-Control": "no-store" }),
  };
  const range = /^bytes=(\d*)-(\d*)$/.exec(c.req.header("Range") ?? "");
  if (range === null || (range[1] === "" && range[2] === "")) return new Response(bytes, { headers });
  const first = range[1] === "" ? Math.max(0, bytes.length - Number(range[2])) : Number(range[1]);
  const last = range[1] === "" || range[2] === "" ? bytes.length - 1 : Math.min(Number(range[2]), bytes.length - 1);
  if (first > last) return new Response(null, { status: 416, headers: { "Content-Range": `bytes */${bytes.length}` } });
  const part = bytes.subarray(first, last + 1);
  return new Response(part, {
    status: 206,
    headers: { ...headers, "Content-Range": `bytes ${first}-${last}/${bytes.length}` },
  });
}

/** An empty form when the body is none, as aiohttp reads it. */
async function readForm(c: Context): Promise<FormData> {
  const isForm = /^(multipart\/form-data|application\/x-www-form-urlencoded)/.test(c.req.header("Content-Type") ?? "");
  return isForm ? c.req.raw.formData() : new FormData();
}

async function upload(
  folders: Folders,
  form: FormData,
  save: (image: Buffer, target: string) => Promise<unknown>,
): Promise<Response> {
  const image = form.get("image");
  const type = String(form.get("type") ?? "input");
  const folder = folderOfType(folders, type);
  if (folder === undefined) return serverError();
  if (image === null) return empty(400);
  // aiohttp gives a part without a file name as plain text, on which ComfyUI's handler trips.
  if (typeof image === "string" || image.name === "") return serverError();

  const subfolder = String(form.get("subfolder") ?? "");
  const directory = path.join(folder, subfolder);
  const filename = image.name.replaceAll("\\", "").replace(/^\/+/, "");
  const target = path.join(directory, filename);
  if (!isInside(folder, target) || target === folder || subfolder.startsWith("/")) return empty(400);
  await mkdir(directory, { recursive: true });

  const bytes = Buffer.from(await image.arrayBuffer());
  const free = isOverwrite(form.get("overwrite"))
    ? { name: filename, isSame: false }
    : await freeName(directory, filename, bytes);
  if (!free.isSame) await save(bytes, path.join(directory, free.name));
  return json({ name: free.name, subfolder, type });
}

function isOverwrite(value: unknown): boolean {
  return value === "true" || value === "1";
}

/** `a (1).png` and so on, until a name is free or its file holds the same bytes. */
async function freeName(
  directory: string,
  filename: string,
  bytes: Buffer,
): Promise<{ name: string; isSame: boolean }> {
  const { name: stem, ext } = path.parse(filename);
  const parent = path.dirname(filename);
  for (let i = 0; ; i++) {
    const name = i === 0 ? filename : path.join(parent, `${stem} (${i})${ext}`);
    const existing = await readFile(path.join(directory, name)).catch(() => undefined);
    if (existing === undefined) return { name, isSame: false };
    if (existing.equals(bytes)) return { name, isSame: true };
  }
}

async function copyAlpha(mask: Buffer, original: string, target: string): Promise<void> {
  const { width, height } = await sharp(original).metadata();
  const alpha = await sharp(mask)
    .ensureAlpha()
    .extractChannel("alpha")
    .resize(width, height, { fit: "fill" })
    .png()
    .toBuffer();
  await sharp(original).removeAlpha().joinChannel(alpha).png().toFile(target);
}
