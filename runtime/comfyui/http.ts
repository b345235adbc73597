/** One HTTP exchange with the engine. `node:http` rather than fetch: half the time per call, of which every invocation makes three. */
import http from "node:http";
import https from "node:https";

export interface Answer {
  status: number;
  body: Buffer;
}

/** Connections are kept, and dropped when idle long before ComfyUI would close them (75 s): a request could meet the closing. */
const KEPT = { keepAlive: true, timeout: 15_000 };
const AGENTS = { "http:": new http.Agent(KEPT), "https:": new https.Agent(KEPT) };

/**
 * GETs, or POSTs `json` when there is some, and reads the whole answer.
 * @throws Error when the connection fails, or the answer is not complete within `timeoutMs`.
 */
export function exchange(url: string, json: string | undefined, timeoutMs: number): Promise<Answer> {
  const isSecure = url.startsWith("https:");
  const { request } = isSecure ? https : http;
  const headers =
    json === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(json) };
  const method = json === undefined ? "GET" : "POST";
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent: AGENTS[isSecure ? "https:" : "http:"], method, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks) }));
      incoming.on("error", reject);
    });
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    outgoing.on("error", reject);
    outgoing.on("close", () => clearTimeout(timer));
    outgoing.end(json);
  });
}

/** POSTs a form; only the status matters. @throws as {@link exchange}. */
export async function postForm(url: string, form: FormData, timeoutMs: number): Promise<{ status: number }> {
  const { status, body } = await fetch(url, { method: "POST", body: form, signal: AbortSignal.timeout(timeoutMs) });
  await body?.cancel();
  return { status };
}
