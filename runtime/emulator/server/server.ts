/** The HTTP server: every route bare and under `/api`, aiohttp's refusals, and the upgrade to a websocket. */
import { createServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { WebSocketServer } from "ws";
import type { Catalogue } from "../catalogue.ts";
import type { Executor } from "../executor.ts";
import type { Faults } from "../faults/index.ts";
import { log } from "../log.ts";
import type { Installation } from "../prompt.ts";
import type { PromptQueue } from "../queue.ts";
import type { Sockets } from "../sockets.ts";
import { addFileRoutes } from "./file-routes.ts";
import { empty, plainText, serverError } from "./http.ts";
import { addInfoRoutes } from "./info-routes.ts";
import { addJobRoutes } from "./job-routes.ts";
import { addPromptRoutes } from "./prompt-routes.ts";

export interface AppParts {
  installation: Installation;
  catalogue: Catalogue;
  queue: PromptQueue;
  executor: Executor;
  features: unknown;
  maxUploadBytes: number;
  argv: readonly string[];
}

export interface ServerParts extends AppParts {
  sockets: Sockets;
  faults: Faults;
}

/** What a client may send on the socket; more closes it with 1009. */
const SOCKET_LIMIT_BYTES = 4 * 1024 * 1024;

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

export function buildServer(parts: ServerParts): Server {
  const app = buildApp(parts);
  const listener = getRequestListener(app.fetch);
  const server = createServer((request, response) => {
    const delayMs = parts.faults.handlingDelayMs(request.method ?? "GET", pathOf(request.url));
    if (delayMs === Number.POSITIVE_INFINITY) return;
    if (Number(request.headers["content-length"] ?? 0) > parts.maxUploadBytes) {
      // The body is read to its end and thrown away, as only then every client reads the answer.
      response.writeHead(413, { "Content-Type": "text/plain; charset=utf-8" }).end(tooLarge(parts.maxUploadBytes));
      request.resume();
      return;
    }
    if (delayMs > 0) setTimeout(() => void listener(request, response), delayMs);
    else void listener(request, response);
  });
  const upgrades = new WebSocketServer({ noServer: true, maxPayload: SOCKET_LIMIT_BYTES, perMessageDeflate: true });
  server.on("upgrade", (request, stream, head) => {
    if (!/^(\/api)?\/ws$/.test(pathOf(request.url))) return stream.destroy();
    upgrades.handleUpgrade(request, stream, head, (socket) => {
      parts.sockets.connect(socket, new URL(request.url ?? "/", "http://localhost").searchParams.get("clientId") ?? "");
    });
    return undefined;
  });
  return server;
}

function tooLarge(limitBytes: number): string {
  return `Maximum request body size ${limitBytes} exceeded.`;
}

function pathOf(url = "/"): string {
  return new URL(url, "http://localhost").pathname;
}

/** The HTTP face without a socket: requests in, answers out. */
export function buildApp({ installation, catalogue, queue, executor, features, maxUploadBytes, argv }: AppParts): Hono {
  const routes = new Hono();
  addPromptRoutes(routes, queue, executor, installation);
  addInfoRoutes(routes, catalogue, features, argv);
  addFileRoutes(routes, installation.folders);
  routes.get("/ws", () => plainText(400, 'No WebSocket UPGRADE hdr: None\n Can "Upgrade" only to "WebSocket".'));

  const app = new Hono();
  app.use(async (c, next) => (isForeignOrigin(c.req.header()) ? empty(403) : next()));
  app.use(bodyLimit({ maxSize: maxUploadBytes, onError: () => plainText(413, tooLarge(maxUploadBytes)) }));
  addJobRoutes(app, queue, executor);
  app.route("/", routes);
  app.route("/api", routes);
  const posts = new Set(app.routes.filter(({ method }) => method === "POST").map(({ path }) => path));
  app.notFound((c) => {
    // The static files of the frontend match every path, for GET and HEAD.
    if (c.req.method === "GET" || c.req.method === "HEAD")
      return new Response(null, { status: 404, headers: { "Content-Type": "application/octet-stream" } });
    const Allow = posts.has(c.req.path) ? "GET,HEAD,POST" : "GET,HEAD";
    return plainText(405, "405: Method Not Allowed", { Allow });
  });
  app.onError((error) => {
    log.error(`Error handling request\n${error.name}: ${error.message}`);
    return serverError();
  });
  return app;
}

/** ComfyUI's guard against web pages that post to a server on the same machine. */
function isForeignOrigin({ host, origin, "sec-fetch-site": site }: Record<string, string>): boolean {
  if (site === "cross-site") return true;
  if (host === undefined || origin === undefined || !URL.canParse(origin)) return false;
  const [from, to] = [new URL(origin), new URL(`http://${host}`)];
  if (!LOOPBACK.test(to.hostname)) return false;
  const isForeign = from.port === "" || to.port === "" ? from.hostname !== to.hostname : from.host !== to.host;
  if (isForeign)
    log.warning(`WARNING: request with non matching host and origin ${to.hostname} != ${from.hostname}, returning 403`);
  return isForeign;
}
