/** The files that tests start as processes. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const sources = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Set by ./built-app.ts; without it the sources run, which take twice as long to start. */
const BUILT = process.env["HANDLER_UNDER_TEST"];

export const HANDLER_SOURCES = sources("handler/main.ts");
export const HANDLER = BUILT ?? HANDLER_SOURCES;
export const EMULATOR =
  BUILT === undefined ? sources("runtime/emulator/main.ts") : join(dirname(BUILT), "emulator.mjs");
