/** An endpoint that tests of A1111's API share, and its answers with decoded pictures. */
import { expect } from "vitest";
import { type RunningEndpoint, startEndpoint } from "./endpoint.ts";
import { decode, type Pixels } from "./pictures.ts";

export interface SdapiAnswer {
  pictures: Pixels[];
  /** As they came, in base64. */
  images: string[];
  parameters: Record<string, unknown>;
  info: Record<string, unknown> & {
    infotexts: string[];
    all_seeds: number[];
    extra_generation_params: Record<string, unknown>;
  };
  warnings?: string[];
}

/** For `beforeAll`: fills in the endpoint, and returns what ends it. */
export async function sharedEndpoint(
  use: (endpoint: RunningEndpoint) => void | Promise<void>,
  settings: Record<string, string> = {},
): Promise<() => Promise<void>> {
  const stops: (() => Promise<void>)[] = [];
  await use(await startEndpoint(settings, (stop) => stops.push(stop)));
  return async () => {
    for (const stop of stops) await stop();
  };
}

/** Posts to a route below `/sdapi/v1`, and expects 200. */
export async function call<T>(endpoint: RunningEndpoint, route: string, body: unknown): Promise<T> {
  const response = await endpoint.post(`/sdapi/v1/${route}`, body);
  const text = await response.text();
  expect(response.status, text.slice(0, 1000)).toBe(200);
  return JSON.parse(text) as T;
}

type Undecoded = Omit<SdapiAnswer, "info" | "pictures"> & { info: string };

/** As {@link call}, for a route that draws. */
export async function draw(endpoint: RunningEndpoint, route: string, body: object): Promise<SdapiAnswer> {
  const answer = await call<Undecoded>(endpoint, route, body);
  const pictures = await Promise.all(answer.images.map((data) => decode(Buffer.from(data, "base64"))));
  return { ...answer, pictures, info: JSON.parse(answer.info) as SdapiAnswer["info"] };
}
