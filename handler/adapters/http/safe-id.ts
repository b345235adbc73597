/** Ids of platforms as ids of ours, which are parts of keys and file names. */
import { createHash } from "node:crypto";

const digest = (text: string) => createHash("sha256").update(text).digest("hex");

/** The id itself where it can be one, else its SHA-256. @param scope within which it is unique; equal ids of two scopes stay apart. */
export function safeId(id: string, scope?: string): string {
  const scoped = scope === undefined ? id : `${id}-${digest(scope).slice(0, 8)}`;
  return /^(?!\.{1,2}$)[\w.-]{1,200}$/.test(scoped) ? scoped : digest(scoped);
}
