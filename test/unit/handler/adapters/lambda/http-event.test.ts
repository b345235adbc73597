import { describe, expect, test } from "vitest";
import {
  type HttpEvent,
  isHttpEvent,
  toRequest as readRequest,
  toHttpAnswer,
} from "../../../../../handler/adapters/lambda/http-event.ts";
import EVENTS from "../../../../fixtures/platforms/lambda/events.json" with { type: "json" };

type Name = keyof typeof EVENTS;
const event = (name: Name, overrides: object = {}) => ({ ...EVENTS[name], ...overrides }) as unknown as HttpEvent;

const toRequest = (recorded: HttpEvent) => readRequest(recorded, new AbortController().signal);

const POST = { method: "POST", path: "/sdapi/v1/txt2img" };
const TEXT = '{"prompt":"a fox","steps":1}';
const SHORT = '{"prompt":"a fox"}';
/** What each recorded event asks for. */
const REQUESTS: Partial<Record<Name, object>> = {
  "function-url": { ...POST, query: "?a=1&a=2", body: TEXT, cookie: "k=v; k2=v2" },
  "function-url-get-no-body": { method: "GET", path: "/health", query: "", body: "", cookie: null },
  "function-url-base64": { ...POST, query: "?a=1&a=2", body: SHORT, cookie: "k=v; k2=v2" },
  "api-gateway-v2": { ...POST, query: "?a=1&a=2", body: TEXT, cookie: "k=v; k2=v2" },
  "api-gateway-v1": { ...POST, query: "?a=1&a=2", body: SHORT, cookie: "k=v" },
  "api-gateway-v1-base64": { ...POST, query: "?a=1&a=2", body: SHORT, cookie: "k=v" },
  alb: { ...POST, query: "?a=2", body: SHORT, cookie: null },
  "alb-multi-value": { ...POST, query: "?a=1&a=2", body: SHORT, cookie: null },
};

describe("a request", () => {
  test("is what a recorded event of a function URL, a gateway or a load balancer is, and no other", () => {
    const requests = Object.entries(EVENTS).filter(([, recorded]) => isHttpEvent(recorded));
    expect(requests.map(([name]) => name)).toEqual(Object.keys(REQUESTS));
    const half = { version: "2.0", requestContext: { http: { method: "GET" } } };
    for (const other of [null, 1, [], {}, { requestContext: null }, { requestContext: {} }, half])
      expect(isHttpEvent(other)).toBe(false);
  });

  test.each(Object.entries(REQUESTS) as [Name, object][])("%s", async (name, expected) => {
    const request = toRequest(event(name));
    const { pathname: path, search: query } = new URL(request.url);
    const { method, headers } = request;
    const body = await request.text();
    expect({ method, path, query, body, cookie: headers.get("cookie") }).toEqual(expected);
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("content-length")).toBe(body === "" ? null : String(Buffer.byteLength(body)));
  });

  test("F22: a base64 body is decoded byte by byte, and its length is that of what was decoded", async () => {
    const bytes = Buffer.from([0, 255, 128, 10]);
    const headers = { "content-length": "8", "content-type": "application/octet-stream" };
    const request = toRequest(event("function-url-base64", { headers, body: bytes.toString("base64") }));
    expect(Buffer.from(await request.arrayBuffer())).toEqual(bytes);
    expect(request.headers.get("content-length")).toBe("4");
  });

  test("has every value of a header that came several times", () => {
    expect(toRequest(event("alb-multi-value")).headers.get("x-a")).toBe("1, 2");
  });

  test("keeps a path as it was sent, without the stage's name", () => {
    const staged = { rawPath: "/prod/a b/%20?x", requestContext: { stage: "prod", http: { method: "GET" } } };
    expect(new URL(toRequest(event("api-gateway-v2", staged)).url).pathname).toBe("/a%20b/%20%3Fx");
    const other = { rawPath: "/production", requestContext: { stage: "prod", http: { method: "GET" } } };
    expect(new URL(toRequest(event("api-gateway-v2", other)).url).pathname).toBe("/production");
  });

  test("a load balancer sends a query as it came, a gateway decodes it first", () => {
    const query = (name: Name, value: string) => {
      const parameters = { multiValueQueryStringParameters: null, queryStringParameters: { q: value } };
      return new URL(toRequest(event(name, parameters)).url).searchParams.get("q");
    };
    expect(query("alb", "a%26b%20c")).toBe("a&b c");
    expect(query("api-gateway-v1", "a&b c%20")).toBe("a&b c%20");
  });

  test("what is none is refused as such", () => {
    expect(() => toRequest(event("api-gateway-v1", { multiValueHeaders: { "no name": ["x"] } }))).toThrow(
      expect.objectContaining({ code: "invalid_request" }),
    );
  });
});

describe("an answer", () => {
  const json = () => Response.json({ a: "ü" }, { status: 201, headers: { "x-a": "1" } });
  const headers = { "content-type": "application/json", "x-a": "1" };
  const body = '{"a":"ü"}';

  test("has the form that the event's sender reads", async () => {
    const plain = { statusCode: 201, headers, body, isBase64Encoded: false };
    const lists = { "content-type": ["application/json"], "x-a": ["1"] };
    const statusDescription = "201 Created";
    expect(await toHttpAnswer(json(), event("function-url"))).toEqual(plain);
    expect(await toHttpAnswer(json(), event("api-gateway-v2"))).toEqual(plain);
    expect(await toHttpAnswer(json(), event("api-gateway-v1"))).toEqual({ ...plain, multiValueHeaders: lists });
    expect(await toHttpAnswer(json(), event("alb"))).toEqual({ ...plain, statusDescription });
    const balanced = { ...plain, multiValueHeaders: lists, statusDescription };
    expect(await toHttpAnswer(json(), event("alb-multi-value"))).toEqual(balanced);
  });

  test("that is no text, or compressed, comes as base64", async () => {
    const bytes = Buffer.from([137, 80, 78, 71]);
    for (const type of [
      { "content-type": "image/png" },
      { "content-type": "text/plain", "content-encoding": "gzip" },
    ]) {
      const answer = await toHttpAnswer(new Response(bytes, { headers: type }), event("function-url"));
      expect(answer).toMatchObject({ body: bytes.toString("base64"), isBase64Encoded: true });
    }
    const problem = { headers: { "content-type": "application/problem+json; charset=utf-8" } };
    expect(await toHttpAnswer(new Response("{}", problem), event("alb"))).toMatchObject({ isBase64Encoded: false });
  });

  test("has all its cookies", async () => {
    const response = () => {
      const answer = new Response("");
      answer.headers.append("set-cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT");
      answer.headers.append("set-cookie", "b=2");
      return answer;
    };
    const cookies = ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"];
    expect(await toHttpAnswer(response(), event("function-url"))).toMatchObject({ cookies });
    expect(await toHttpAnswer(response(), event("api-gateway-v1"))).toMatchObject({
      multiValueHeaders: { "set-cookie": cookies },
    });
  });

  test("F16: one that would not reach the caller is an error that says so, also where only its quotes make it too large", async () => {
    const cases: [name: Name, text: string][] = [
      ["function-url", "x".repeat(6.3e6)],
      ["function-url", '"'.repeat(3.2e6)],
      ["alb", "x".repeat(1e6)],
    ];
    for (const [name, text] of cases) {
      const answer = await toHttpAnswer(new Response(text), event(name));
      expect(answer.statusCode).toBe(500);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: "output_too_large" } });
    }
  });
});
