/** A metadata service as clouds give their machines: says what a test wants it to, and remembers what it was asked. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

export interface Asked {
  method: string;
  path: string;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
}

/** `hang`: no answer, ever. */
type Said = { status: number; body?: unknown } | "hang";
export type Say = (asked: Asked) => Said | Promise<Said>;

export async function startMetadata(say: Say): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const { method = "", url = "", headers } = request;
    const one = { method, path: url, headers, body: await text(request) };
    asked.push(one);
    const answer = await say(one);
    if (answer === "hang") return;
    const { status, body = "" } = answer;
    response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** EC2's, whose Spot notice comes when a test sets its time. */
export function startEc2(notice: { time?: string }) {
  return startMetadata(({ method, path, headers }) => {
    if (method === "PUT" && path === "/latest/api/token") return { status: 200, body: "tok" };
    if (path !== "/latest/meta-data/spot/instance-action" || headers["x-aws-ec2-metadata-token"] !== "tok")
      return { status: 401 };
    return notice.time === undefined
      ? { status: 404 }
      : { status: 200, body: { action: "terminate", time: notice.time } };
  });
}
