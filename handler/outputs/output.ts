/** A file or a text that a prompt produced, on its way to the caller. */
import type { FileReference } from "../../runtime/comfyui/client.ts";

export type OutputType = "image" | "video" | "audio" | "text" | "latent" | "file";

/** As ComfyUI names it. */
export interface ProducedFile {
  nodeId: string;
  /** May hold slashes. */
  name: string;
  reference: FileReference;
}

export interface ProducedText {
  nodeId: string;
  name: string;
  text: string;
}

/** Encoded, and not yet anywhere. */
export interface Artifact {
  nodeId: string;
  /** Unique among the outputs of its invocation, once it is delivered; may hold slashes. */
  name: string;
  type: OutputType;
  contentType: string;
  bytes: Buffer;
}

/** Delivered: in S3 when it has a location; its bytes are at hand for an inline answer. */
export interface DeliveredOutput extends Artifact {
  location?: { bucket: string; key: string; url?: string };
}
