/** What A1111's middlewares add to an answer: the time it took, and compression. */
import { gzipSync } from "node:zlib";
import type { MiddlewareHandler } from "hono";

/** Smaller bodies are not worth it; A1111's limit. */
const MIN_BYTES = 1000;

/** `X-Process-Time` in seconds. */
export const processTime: MiddlewareHandler = async (context, next) => {
  const start = performance.now();
  await next();
  context.header("x-process-time", String(Math.round((performance.now() - start) * 10) / 10_000));
};

/**
 * Compresses lists for those who take gzip. Unlike in A1111, pictures are left as they are: base64 of a PNG of 1 MB takes 35 ms
 * and gets smaller by a quarter, which is what base64 had added.
 */
export const gzipLists: MiddlewareHandler = async (context, next) => {
  await next();
  if (context.req.method !== "GET" || !context.req.path.startsWith("/sdapi/")) return;
  context.header("vary", "Accept-Encoding", { append: true });
  if (!/\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(context.req.header("accept-encoding") ?? "")) return;
  const bytes = Buffer.from(await context.res.clone().arrayBuffer());
  if (bytes.length < MIN_BYTES) return;
  const { status, headers } = context.res;
  context.res = new Response(gzipSync(bytes), { status, headers });
  context.header("content-encoding", "gzip");
};
