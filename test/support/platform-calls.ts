/** How platforms' own servers call a worker. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { RunningEndpoint } from "./endpoint.ts";

export const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64");

/** Posts, and returns status, headers and JSON; `undefined` for an empty body. */
export async function call(
  endpoint: RunningEndpoint,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
  method = "POST",
) {
  const response = await endpoint.post(path, body, {
    method,
    headers: { "content-type": "application/json", ...headers },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) };
}

export async function get(endpoint: RunningEndpoint, path: string) {
  const response = await fetch(endpoint.url + path);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Asks until the answer fits. */
export async function eventually<T>(ask: () => Promise<T>, fits: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** How many prompts ran so far. */
export const promptsRun = (endpoint: RunningEndpoint) =>
  endpoint.log.filter(({ message }) => message === "prompt queued").length;

/** Runs the work, and expects that no prompt comes of it. */
export async function withoutPrompt<T>(endpoint: RunningEndpoint, work: () => Promise<T>): Promise<T> {
  const before = promptsRun(endpoint);
  const result = await work();
  expect(promptsRun(endpoint) - before, "prompts that ran").toBe(0);
  return result;
}

/** Of a page in `docs/platforms/`: each shell block that is followed by JSON, with that JSON. */
export function pageExamples(page: string): [command: string, answer: string][] {
  const text = readFileSync(new URL(`../../docs/platforms/${page}.md`, import.meta.url), "utf8");
  return [...text.matchAll(/^```sh\n((?:(?!```)[\s\S])*)^```\n```json\n([\s\S]*?)^```$/gm)].map(
    ([, command, answer]) => [command!, answer!],
  );
}
