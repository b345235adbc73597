/** What all routes share: JSON as Python writes it, the empty answers, and the errors of aiohttp. */
import type { Context } from "hono";
import { dumps, loads } from "../python.ts";

export function json(value: unknown, status = 200): Response {
  return new Response(typeof value === "string" ? value : dumps(value), {
    status,
    headers: { "Content-Type": "application/json; charset=utf-8" },
  });
}

/** JSON text that is ready to send. */
export function jsonText(text: string): Response {
  return new Response(text, { headers: { "Content-Type": "application/json; charset=utf-8" } });
}

export function empty(status: number): Response {
  return new Response(null, { status, headers: { "Content-Length": "0" } });
}

export function plainText(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(text, { status, headers: { "Content-Type": "text/plain; charset=utf-8", ...headers } });
}

/** What aiohttp answers when a handler raises. */
export function serverError(): Response {
  return plainText(500, "500 Internal Server Error\n\nServer got itself in trouble");
}

/** The request's JSON body whatever its content type. @throws SyntaxError, which becomes a 500 */
export async function readJson(c: Context): Promise<unknown> {
  return loads(await c.req.text());
}

/** As {@link readJson} for handlers that call `.get` on it. @throws TypeError when it is not an object */
export async function readObject(c: Context): Promise<Record<string, unknown>> {
  const body = await readJson(c);
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new TypeError("the body is not an object");
  return body as Record<string, unknown>;
}
