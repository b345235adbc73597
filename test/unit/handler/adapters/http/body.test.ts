import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { BodyReader } from "../../../../../handler/adapters/http/body.ts";
import { errorHeaders } from "../../../../../handler/adapters/http/errors.ts";
import { toEndpointError } from "../../../../../runtime/errors.ts";

const LIMIT = 1000;

/** An app whose one route answers with the length of the JSON text that it was sent, or with the code of the refusal. */
function appWith(work: (payload: unknown) => Promise<unknown> = async (payload) => payload) {
  const bodies = new BodyReader(LIMIT / 1e6);
  const app = new Hono().post("/", (context) =>
    bodies.read(context, async (payload) => context.json((await work(payload)) as object)),
  );
  app.onError((error, context) => {
    const { status, headers } = errorHeaders(toEndpointError(error));
    return context.text(`${toEndpointError(error).code}: ${toEndpointError(error).message}`, status, headers);
  });
  return app;
}

/** JSON text of so many bytes. */
const ofBytes = (bytes: number) => JSON.stringify("x".repeat(bytes - 2));

function inChunks(text: string, size: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + size));
      at += size;
    },
  });
}

type App = ReturnType<typeof appWith>;
const declared = (app: App, body: string) =>
  app.request("/", { method: "POST", body, headers: { "content-length": String(Buffer.byteLength(body)) } });
const chunked = (app: App, body: string, size = 64) =>
  app.request("/", { method: "POST", body: inChunks(body, size), duplex: "half" } as RequestInit);

describe.each([
  ["declared", declared],
  ["chunked", chunked],
])("a %s body", (_kind, send) => {
  test("may have the limit, and not a byte more", async () => {
    const accepted = await send(appWith(), ofBytes(LIMIT));
    expect([accepted.status, (await accepted.text()).length]).toEqual([200, LIMIT]);

    const refused = await send(appWith(), ofBytes(LIMIT + 1));
    expect(refused.status).toBe(413);
    expect(await refused.text()).toBe("payload_too_large: the body is larger than 0.001 MB");
    expect(refused.headers.get("connection")).toBe("close");
  });

  test("that is refused takes no room from the next", async () => {
    const app = appWith();
    for (let n = 0; n < 5; n++) expect((await send(app, ofBytes(LIMIT + 1))).status).toBe(413);
    expect((await send(app, ofBytes(LIMIT))).status).toBe(200);
  });
});

test("a declared length that is too large is refused although nothing of it has come", async () => {
  const body = new ReadableStream<Uint8Array>();
  const headers = { "content-length": String(LIMIT + 1) };
  const answer = await appWith().request("/", { method: "POST", body, headers, duplex: "half" } as RequestInit);
  expect(answer.status).toBe(413);
});

test("bodies that wait together may have twice the limit; then the next is told to come again", async () => {
  const work = Promise.withResolvers<void>();
  const arrivals: (() => void)[] = [];
  const arrived = [0, 1].map(() => new Promise<void>((resolve) => arrivals.push(resolve)));
  const app = appWith(async () => {
    arrivals.shift()?.();
    await work.promise;
    return {};
  });
  const waiting = [declared(app, ofBytes(LIMIT)), chunked(app, ofBytes(LIMIT))];
  await Promise.all(arrived);

  for (const send of [declared, chunked]) {
    const refused = await send(app, ofBytes(2));
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "5"]);
    expect(await refused.text()).toMatch(/^queue_full:/);
  }

  work.resolve();
  for (const answer of await Promise.all(waiting)) expect(answer.status).toBe(200);
  expect((await declared(app, ofBytes(LIMIT))).status).toBe(200);
});

test("work that fails gives its room back", async () => {
  const app = appWith(async (payload) => {
    if (payload === null) return {};
    throw new Error("broken");
  });
  for (let n = 0; n < 5; n++) expect((await declared(app, ofBytes(LIMIT))).status).toBe(500);
  expect((await declared(app, "null")).status).toBe(200);
});

describe("what is read", () => {
  test("characters that chunks cut in two are whole", async () => {
    const text = JSON.stringify({ prompt: "füß 🦊 日本" });
    for (const size of [1, 2, 3, 5]) expect(await (await chunked(appWith(), text, size)).text()).toBe(text);
  });

  test("64-bit seeds keep their digits", async () => {
    expect(await (await declared(appWith(), '{"seed":18446744073709551615}')).text()).toBe(
      '{"seed":18446744073709551615}',
    );
  });

  test("a byte order mark is no part of the JSON", async () => {
    expect((await declared(appWith(), "\ufeff{}")).status).toBe(200);
  });

  test.each(["", "{not json", "[NaN]", "[[["])("%j is refused as no JSON", async (text) => {
    const answer = await chunked(appWith(), text);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toMatch(/^invalid_json: the body is not JSON:/);
  });
});
