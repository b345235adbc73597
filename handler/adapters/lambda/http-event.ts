/** HTTP requests that come as events, of function URLs, API Gateway (payload formats 1.0 and 2.0) and load balancers. */
import { STATUS_CODES } from "node:http";
import { EndpointError, toErrorBody } from "../../../runtime/errors.ts";

type Strings = Readonly<Record<string, string | undefined>>;
type Lists = Readonly<Record<string, readonly string[] | undefined>>;

/** What all have in common. */
interface AnyHttpEvent {
  headers?: Strings | null;
  body?: string | null;
  isBase64Encoded?: boolean;
}

/** Function URL, API Gateway payload format 2.0. */
interface HttpEventV2 extends AnyHttpEvent {
  version: "2.0";
  rawPath: string;
  rawQueryString?: string;
  cookies?: readonly string[];
  requestContext: { domainName?: string; stage?: string; http: { method: string } };
}

/** API Gateway payload format 1.0, and, with `elb`, a load balancer. */
interface HttpEventV1 extends AnyHttpEvent {
  httpMethod: string;
  path: string;
  queryStringParameters?: Strings | null;
  multiValueQueryStringParameters?: Lists | null;
  multiValueHeaders?: Lists | null;
  requestContext: { elb?: object; domainName?: string };
}

export type HttpEvent = HttpEventV1 | HttpEventV2;

interface HttpEventAnswer {
  statusCode: number;
  statusDescription?: string;
  headers?: Record<string, string>;
  multiValueHeaders?: Record<string, string[]>;
  cookies?: string[];
  body: string;
  isBase64Encoded: boolean;
}

/** Bytes of JSON that an answer may have with all that is around it: Lambda's 6 MiB, a load balancer's 1 MB. */
const CARRIED_BYTES = { lambda: 6 * 1024 ** 2, loadBalancer: 1_000_000 };
/** An envelope around JSON: its quotes are escaped once more. */
const BODY_SHARE = 0.88;
/** What needs no base64. */
const TEXT = /^(text\/|application\/(json|javascript|xml|yaml|[\w.+-]+\+(json|xml))\b)/;

export function isHttpEvent(event: unknown): event is HttpEvent {
  const { requestContext, version, ...fields } = (event ?? {}) as Partial<HttpEventV1 & HttpEventV2>;
  if (typeof requestContext !== "object" || requestContext === null) return false;
  const { method, path } =
    version === "2.0"
      ? { method: requestContext.http?.method, path: fields.rawPath }
      : { method: fields.httpMethod, path: fields.path };
  return typeof method === "string" && typeof path === "string";
}

const isV2 = (event: HttpEvent): event is HttpEventV2 => "rawPath" in event;

const carriedBytes = (event: HttpEvent) => CARRIED_BYTES["elb" in event.requestContext ? "loadBalancer" : "lambda"];

/** Bytes of the largest body that its sender carries, by and large. */
export const maxAnswerBytes = (event: HttpEvent) => Math.floor(carriedBytes(event) * BODY_SHARE);

/** @param signal ends what is done for it. @throws EndpointError `invalid_request` for what is no HTTP request. */
export function toRequest(event: HttpEvent, signal: AbortSignal): Request {
  const method = isV2(event) ? event.requestContext.http.method : event.httpMethod;
  const body =
    typeof event.body === "string" ? Buffer.from(event.body, event.isBase64Encoded ? "base64" : "utf8") : null;
  try {
    const headers = readHeaders(event);
    // The event's own is of the body before the gateway decoded it.
    if (body) headers.set("content-length", String(body.length));
    return new Request(readUrl(event), {
      method,
      headers,
      signal,
      body: method === "GET" || method === "HEAD" ? null : body,
    });
  } catch (cause) {
    throw new EndpointError("invalid_request", `the event is no HTTP request: ${(cause as Error).message}`, { cause });
  }
}

function readUrl(event: HttpEvent): URL {
  const url = new URL(`https://${event.requestContext.domainName ?? "lambda"}`);
  // The setters encode what may not stand in a path or a query, and leave what is encoded.
  url.pathname = isV2(event) ? withoutStage(event) : event.path;
  url.search = isV2(event) ? (event.rawQueryString ?? "") : readQuery(event);
  return url;
}

/** Format 2.0 has a stage's name in the path, unlike 1.0. */
function withoutStage({ rawPath, requestContext: { stage } }: HttpEventV2): string {
  return stage !== undefined && rawPath.startsWith(`/${stage}/`) ? rawPath.slice(stage.length + 1) : rawPath;
}

/** API Gateway decodes what stands in a query, a load balancer does not. */
function readQuery(event: HttpEventV1): string {
  const pairs = pairsOf(event.multiValueQueryStringParameters, event.queryStringParameters);
  return event.requestContext.elb
    ? pairs.map(([name, value]) => `${name}=${value}`).join("&")
    : new URLSearchParams(pairs).toString();
}

function readHeaders(event: HttpEvent): Headers {
  const headers = new Headers(pairsOf(isV2(event) ? null : event.multiValueHeaders, event.headers));
  if (isV2(event) && event.cookies?.length) headers.set("cookie", event.cookies.join("; "));
  return headers;
}

/** With every value where there are lists. */
function pairsOf(lists: Lists | null | undefined, strings: Strings | null | undefined): [string, string][] {
  const single = Object.fromEntries(Object.entries(strings ?? {}).map(([name, value]) => [name, [value ?? ""]]));
  return Object.entries({ ...single, ...lists }).flatMap(([name, values]) =>
    (values ?? []).map((value): [string, string] => [name, value]),
  );
}

/** The answer in the form in which the event's sender wants it; an error in place of one that would not reach the caller. */
export async function toHttpAnswer(response: Response, event: HttpEvent): Promise<HttpEventAnswer> {
  const bytes = Buffer.from(await response.arrayBuffer());
  const answer = {
    statusCode: response.status,
    ...encodeBody(bytes, response.headers),
    ...encodeHeaders(response, event),
  };
  const size = Buffer.byteLength(JSON.stringify(answer));
  if (size <= carriedBytes(event)) return answer;
  const message = `the answer has ${size} bytes, and ${carriedBytes(event)} reach the caller; configure S3_BUCKET`;
  const error = new EndpointError("output_too_large", message);
  return toHttpAnswer(Response.json(toErrorBody(error), { status: error.httpStatus }), event);
}

function encodeBody(bytes: Buffer, headers: Headers): Pick<HttpEventAnswer, "body" | "isBase64Encoded"> {
  const isText = TEXT.test(headers.get("content-type") ?? "text/") && !headers.has("content-encoding");
  return { body: bytes.toString(isText ? "utf8" : "base64"), isBase64Encoded: !isText };
}

function encodeHeaders({ status, headers }: Response, event: HttpEvent): Partial<HttpEventAnswer> {
  const cookies = headers.getSetCookie();
  const single = Object.fromEntries([...headers].filter(([name]) => name !== "set-cookie"));
  if (isV2(event)) return { headers: single, ...(cookies.length > 0 && { cookies }) };
  const lists = Object.fromEntries(Object.entries(single).map(([name, value]) => [name, [value]]));
  if (cookies.length > 0) {
    single["set-cookie"] = cookies.at(-1)!;
    lists["set-cookie"] = cookies;
  }
  return {
    headers: single,
    // A load balancer reads the form in which it sends.
    ...(event.multiValueHeaders && { multiValueHeaders: lists }),
    ...(event.requestContext.elb && { statusDescription: `${status} ${STATUS_CODES[status]}` }),
  };
}
