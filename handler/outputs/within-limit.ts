/** An answer that a platform can carry. */
import { EndpointError } from "../../runtime/errors.ts";
import type { Answer } from "../handle.ts";

/** The body, or the one with links where that is too large. @throws EndpointError `output_too_large`. */
export function withinLimit({ body, links }: Pick<Answer, "body" | "links">, maxBytes: number): unknown {
  const bytes = Buffer.byteLength(JSON.stringify(body));
  if (bytes <= maxBytes) return body;
  if (links !== undefined) return links;
  throw new EndpointError(
    "output_too_large",
    `the answer has ${megabytes(bytes)} MB, and this platform carries ${megabytes(maxBytes)}; configure S3_BUCKET, and ask an A1111 request for send_images: false`,
    { details: { bytes, maxBytes } },
  );
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
