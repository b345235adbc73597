/** The EndpointError that a call ends with. */
import { expect } from "vitest";
import { EndpointError } from "../../runtime/errors.ts";

export function thrownBy(work: () => unknown): EndpointError {
  try {
    work();
  } catch (error) {
    return asEndpointError(error);
  }
  throw new Error("nothing was thrown");
}

export async function rejectionOf(work: Promise<unknown>): Promise<EndpointError> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (outcome === undefined) throw new Error("it did not fail");
  return asEndpointError(outcome.error);
}

function asEndpointError(error: unknown): EndpointError {
  expect(error).toBeInstanceOf(EndpointError);
  return error as EndpointError;
}
