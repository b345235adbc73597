import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FIXTURES } from "./engine.ts";
import type { Recording } from "./recording.ts";
import type { Scenarios } from "./scenarios-runs.ts";

const input = (name: string) => readFile(join(FIXTURES, "input", name));

interface Upload {
  fields?: Record<string, string>;
  path?: string;
  part?: string;
}

async function upload(r: Recording, name: string, bytes: Uint8Array, { fields = {}, path, part }: Upload = {}) {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.set(field, value);
  form.set(part ?? "image", new Blob([new Uint8Array(bytes)], { type: "image/png" }), name);
  await r.http("POST", path ?? "/upload/image", { raw: form });
}

/** A part header as written by hand: FormData escapes names, and cannot leave the file name out. */
async function uploadRaw(r: Recording, fileName: string | undefined, bytes: Buffer): Promise<void> {
  const suffix = fileName === undefined ? "" : `; filename="${fileName}"`;
  const head = `--XX\r\nContent-Disposition: form-data; name="image"${suffix}\r\nContent-Type: image/png\r\n\r\n`;
  const raw = new Uint8Array(Buffer.concat([Buffer.from(head), bytes, Buffer.from("\r\n--XX--\r\n")]));
  await r.http("POST", "/upload/image", { raw, headers: { "content-type": "multipart/form-data; boundary=XX" } });
}

/** Files, introspection, the handshake of a socket. */
export const HTTP: Scenarios = {
  "upload-image": async (r) => {
    const [photo, masked] = [await input("photo.png"), await input("masked.png")];
    await upload(r, "u.png", photo);
    await upload(r, "u.png", photo);
    await upload(r, "u.png", masked);
    await upload(r, "u.png", masked, { fields: { overwrite: "true" } });
    await upload(r, "u.png", photo, { fields: { subfolder: "s/t" } });
    for (const type of ["temp", "output", "nope"]) await upload(r, "u.png", photo, { fields: { type } });
    await upload(r, "u.png", photo, { fields: { subfolder: "../../x" } });
    const names = [
      "../evil.png",
      "/evil.png",
      "a/b.png",
      "..",
      "ünï cödé.png",
      "",
      undefined,
      "x.png [input]",
      "a\\b.png",
    ];
    for (const name of names) await uploadRaw(r, name, photo);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    await r.http("POST", "/upload/image", { raw: "type=input", headers });
    await upload(r, "x.txt", Buffer.from("hello"));
    await upload(r, "u.png", photo, { part: "file" });
    const mask = (original: string) => ({
      path: "/upload/mask",
      fields: { original_ref: JSON.stringify({ filename: original, type: "input", subfolder: "" }) },
    });
    await upload(r, "m.png", masked, mask("photo.png"));
    await upload(r, "m2.png", masked, mask("gone.png"));
    r.note(`file m2.png exists: ${(await r.hasInput("m2.png")) ? "True" : "False"}`);
    await upload(r, "m3.png", masked, { path: "/upload/mask" });
    await r.post("/upload/image", { image: "x" });
  },

  "view-variants": async (r) => {
    await r.putOutput("alpha.png", await input("masked.png"));
    await r.putOutput("p.png", await input("photo.png"), "sub");
    await r.putOutput("x.svg", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"));
    await r.putOutput("x.bin", Buffer.from([0, 1]));
    await r.putOutput("x.json", Buffer.from("{}"));
    for (const query of VIEWS) await r.get(`/view${query && `?${query}`}`);
    await r.http("GET", "/view?filename=alpha.png", { headers: { Range: "bytes=0-15" } });
    await r.http("HEAD", "/view?filename=alpha.png");
    await r.get("/api/view?filename=alpha.png");
  },

  introspection: async (r) => {
    for (const path of INTROSPECTION) await r.get(path);
    await r.http("GET", "/prompt", { headers: { Origin: "http://example.com" } });
    await r.http("DELETE", "/prompt");
    await r.get("/interrupt");
  },

  "socket-handshake": async (r) => {
    const odd = await r.socket("/ws?clientId=my%20id%20with%20spaces%20%26%20signs", "odd id");
    await odd.close();
    const nameless = await r.socket("/ws", "no id");
    nameless.send({ type: "feature_flags", data: { supports_preview_metadata: true, mine: 1 } });
    await r.until(nameless, ({ type }) => type === "feature_flags");
    nameless.send({ type: "feature_flags", data: {} });
    nameless.send({ type: "hello" });
    nameless.sendText("{bad");
    await nameless.ping();
    await r.get("/prompt");
    await nameless.close();
    const late = await r.client(crypto.randomUUID(), undefined, "first message is something else");
    late.send({ type: "hello" });
    late.send({ type: "feature_flags", data: { supports_preview_metadata: true } });
    await late.ping();
    await late.close();
    await r.get("/ws");
  },
};

const INTROSPECTION = [
  ...[
    "/system_stats",
    "/features",
    "/prompt",
    "/queue",
    "/models",
    "/models/checkpoints",
    "/models/nope",
    "/embeddings",
  ],
  ...["/object_info/EmptyImage", "/object_info/Nope", "/api/object_info/SaveImage", "/object_info/SaveImageAdvanced"],
  "/nope",
];

const VIEWS = [
  ...["filename=alpha.png", "filename=alpha.png&type=output&subfolder=", "filename=alpha.png&preview=webp;90"],
  ...["filename=alpha.png&preview=jpeg;50", "filename=alpha.png&preview=png", "filename=sub/p.png"],
  ...["filename=p.png&subfolder=sub", "filename=p.png&subfolder=sub&preview=jpeg"],
  ...["filename=p.png&subfolder=sub&preview=jpeg;80", "filename=alpha.png&channel=rgb", "filename=alpha.png&channel=a"],
  ...["filename=alpha.png&channel=rgba", "filename=p.png&subfolder=sub&channel=a", "filename=photo.png&type=input"],
  ...["filename=photo.png%20[input]", "filename=gone.png", "", "filename=", "filename=../x.png"],
  ...["filename=/etc/passwd", "filename=x.png&subfolder=../..", "filename=x.png&type=nope", "filename=x.svg"],
  ...["filename=x.bin", "filename=x.json", "filename=x.bin&preview=webp", "filename=alpha.png&subfolder=gone"],
];
