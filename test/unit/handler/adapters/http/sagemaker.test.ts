import { expect, test } from "vitest";
import { limitsOf } from "../../../../../handler/adapters/http/sagemaker.ts";

test("an invocation keeps below what SageMaker cuts: 60 s and 6 MiB in real time, an hour asynchronously", () => {
  expect(limitsOf(false)).toEqual({ timeoutMs: 58_000, maxAnswerBytes: 5.5e6 });
  expect(limitsOf(true)).toEqual({ timeoutMs: 3_590_000 });
});
