/** What an answer tells of the units that were sent. */
import { isControlnet } from "./units.ts";

/** Texts that are longer are pictures. */
const MAX_TEXT = 1000;
/** A unit's picture may be a list of objects. */
const MAX_DEPTH = 5;

/** `alwayson_scripts` as sent, with null in the place of every picture of a ControlNet unit. */
export const withoutPictures = (scripts: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(scripts).map(([title, script]) => [title, isControlnet(title) ? strip(script, 0) : script]),
  );

function strip(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.length > MAX_TEXT ? null : value;
  if (typeof value !== "object" || value === null) return value;
  if (depth === MAX_DEPTH) return null;
  if (Array.isArray(value)) return value.map((item) => strip(item, depth + 1));
  if (Object.getPrototypeOf(value) === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, strip(item, depth + 1)]));
}
