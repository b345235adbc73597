/** Work whose result stands in the bucket is not done again, whichever worker it comes to. */
import { EndpointError, toEndpointError, toErrorBody } from "../../../runtime/errors.ts";
import type { Invocation, InvocationResult } from "../../invocation.ts";
import type { ResultDocument, Results } from "../../outputs/results.ts";

/**
 * Looks for the result of an id first; a failure that stands is written, as a success is with its outputs. Never throws.
 * @returns for what was done before, the result document as the body.
 */
export async function runOnce(
  { id, attempt, signal }: Pick<Invocation, "attempt" | "signal"> & { id: string },
  results: Results,
  run: () => Promise<InvocationResult>,
): Promise<InvocationResult> {
  try {
    const standing = await results.find(id, signal);
    if (standing) return fromDocument(standing);
    const result = await run();
    if (result.status === "succeeded" || result.error.retryable || result.error.code === "cancelled") return result;
    const { error } = toErrorBody(result.error);
    await results.writeFailure({ id, status: "failed", attempt, error }, signal);
    return result;
  } catch (error) {
    // The store's; what was done is done again when it comes again.
    return { id, status: "failed", error: toEndpointError(error) };
  }
}

function fromDocument(document: ResultDocument): InvocationResult {
  const { id } = document;
  if (document.status === "succeeded") return { id, status: "succeeded", body: document };
  const { code, message, details } = document.error;
  return { id, status: "failed", error: new EndpointError(code, message, details && { details }) };
}
