/** A schema's complaints as one of our errors: which field, what was wrong with it. */
import type * as z from "zod";
import { EndpointError } from "../../runtime/errors.ts";

/** @param path where the checked value stood in the payload. */
export function fieldErrors(error: z.ZodError, path: readonly (string | number)[] = []): EndpointError {
  const issues = error.issues.map((issue) => ({
    field: [...path, ...issue.path.map(String)].join("."),
    message: issue.message,
  }));
  return issuesError(issues);
}

/** What is wrong with a field; the kind of a complaint of pydantic's, where its message does not tell, and what it adds. */
export interface FieldIssue {
  /** With dots between the names of what lies within each other; empty for the whole payload. */
  field: string;
  message: string;
  type?: string;
  ctx?: Record<string, unknown>;
}

export function issuesError(issues: readonly FieldIssue[]): EndpointError {
  const text = issues.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`)).join("; ");
  return new EndpointError("invalid_request", text, { details: { issues } });
}

/** A field that asks for what cannot be had. @param why in words that follow the field's name. */
export const notAvailable = (field: string, why = "this is not available"): EndpointError =>
  new EndpointError("unsupported_feature", `${field}: ${why}; leave it out`, { details: { field } });

/** One field at fault. */
export function invalidField(field: string, message: string): EndpointError {
  return issuesError([{ field, message }]);
}
