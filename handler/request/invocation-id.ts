/** Ids that callers choose; they become parts of keys and file names. */
import * as z from "zod";

/** No slashes, no control characters, and not a folder's own name for itself or its parent. */
export const invocationId = z
  .string()
  .regex(/^(?!\.{1,2}$)[^/\\\p{Cc}]{1,200}$/u, "must be 1 to 200 characters without slashes");
