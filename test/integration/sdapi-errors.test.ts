import { beforeAll, describe, expect, test } from "vitest";
import recorded from "../fixtures/sdapi/errors.json" with { type: "json" };
import type { RunningEndpoint } from "../support/endpoint.ts";
import { sharedEndpoint } from "../support/sdapi.ts";
import {
  type Answer,
  chooseModel,
  fieldsNamed,
  type Golden,
  ownFields,
  send,
  titleOf,
  wantedOf,
} from "../support/sdapi-golden.ts";

/** Where we answer otherwise than A1111 did, and why. */
const DIFFERENCES: Readonly<Record<string, string>> = {};

/** A1111 takes something else without a word. We say so, unless `SDAPI_LENIENT` is set: then the answer is A1111's, with a warning. */
const LENIENT: readonly string[] = [];

/** A1111 crashes on these, though it is plain what they ask for: bodies that ask for the same. */
const MEANINGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {};

let endpoint: RunningEndpoint;
let lenient: RunningEndpoint;
beforeAll(async () => {
  const stops = [
    await sharedEndpoint((started) => {
      endpoint = started;
    }),
    await sharedEndpoint(
      (started) => {
        lenient = started;
      },
      { SDAPI_LENIENT: "true" },
    ),
  ];
  for (const started of [endpoint, lenient]) {
    await started.ready();
    await chooseModel(started);
  }
  return async () => {
    for (const stop of stops) await stop();
  };
});

const cases = (recorded.cases as Golden[]).map((golden) => ({ golden, title: titleOf(golden) }));
const byRoute = Map.groupBy(cases, ({ golden }) => golden.path.split("?")[0]!);

describe.each([...byRoute])("%s", (_, ofRoute) => {
  test.each(ofRoute)("$title", async ({ golden, title }) => {
    const answer = await send(endpoint, golden);
    const { status, response } = answer;
    const wanted = wantedOf(golden);
    if (title in DIFFERENCES) {
      expect({ status, response }, "it needs no entry in the table").not.toEqual(wanted);
      expect(status, "whatever it is, it is no crash").not.toBe(500);
    } else if (LENIENT.includes(title)) {
      expectRefusal(golden, answer);
      const { warnings, ...given } = await send(lenient, golden);
      expect(given).toEqual(wanted);
      expect(warnings).not.toEqual([]);
    } else if (golden.status === 500) {
      const meaning = MEANINGS[title] ?? withoutNull(golden);
      if (meaning === undefined) expectRefusal(golden, answer);
      else
        expect(answer).toEqual({
          ...(await send(endpoint, { ...golden, body: meaning })),
          status: 200,
          warnings: expect.any(Array),
        });
    } else {
      expect({ status, response }).toEqual(wanted);
    }
  });
});

/** Null stands for a field's default. */
function withoutNull({ body }: Golden): object | undefined {
  const given = Object.entries(body ?? {});
  const kept = given.filter(([, value]) => value !== null);
  return kept.length < given.length ? Object.fromEntries(kept) : undefined;
}

/** In one of A1111's two shapes, and tells what is at fault. */
function expectRefusal(golden: Golden, answer: Answer): void {
  const { status, response } = answer;
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  const own = Object.keys(ownFields(golden));
  const [named] = fieldsNamed(answer);
  if (Array.isArray((response as { detail: unknown }).detail))
    expect(response).toEqual({
      detail: expect.arrayContaining([{ loc: expect.any(Array), msg: expect.any(String), type: expect.any(String) }]),
    });
  else expect(Object.keys(response as object)).toEqual(["error", "detail", "body", "errors"]);
  if (golden.raw !== undefined) expect(golden.raw.slice(Number(named))).toMatch(/^NaN/);
  else if (own.length > 0) expect(own).toContain(named);
}
