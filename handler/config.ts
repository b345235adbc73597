/** Reads the settings, the only reader of process.env. `node handler/config.ts` prints the README's table. */
import { readFileSync } from "node:fs";
import * as z from "zod";
import { SETTINGS, type Setting } from "./settings.ts";

type Name = keyof typeof SETTINGS;
export type Config = Readonly<{ [N in Name]: z.output<(typeof SETTINGS)[N]["schema"]> }> & {
  /** `alias -> our name`, for those that stood in. */
  readonly aliasesUsed: Readonly<Record<string, string>>;
  /** The environment as it was, for child processes. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};

/** A mistake in the settings; its message lists every one. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Reads the settings.
 * @throws ConfigError that names each setting at fault.
 */
export function loadConfig(environment: Record<string, string | undefined> = process.env): Config {
  const aliasesUsed: Record<string, string> = {};
  const given: Partial<Record<Name, string>> = {};
  const mistakes: string[] = [];
  for (const [name, setting] of Object.entries(SETTINGS) as [Name, Setting][]) {
    const source = [name, ...(setting.aliases ?? [])].find((candidate) => environment[candidate]);
    const file = setting.isSecret ? environment[`${name}_FILE`] : undefined;
    if (source !== undefined) given[name] = environment[source]!;
    else if (file) {
      const secret = readSecret(file);
      if (secret) given[name] = secret;
      else mistakes.push(`✖ cannot read a secret from the file\n  → at ${name}_FILE`);
    }
    if (source !== undefined && source !== name) aliasesUsed[source] = name;
  }
  const shape = Object.fromEntries(Object.entries(SETTINGS).map(([name, { schema }]) => [name, schema])) as {
    [N in Name]: (typeof SETTINGS)[N]["schema"];
  };
  const parsed = z.object(shape).safeParse(given);
  if (!parsed.success) mistakes.push(z.prettifyError(parsed.error));
  if (given.ENGINE === "comfyui" && !(given.COMFYUI_HOME || given.COMFYUI_COMMAND || given.COMFYUI_URL))
    mistakes.push("✖ `comfyui` needs one of COMFYUI_HOME, COMFYUI_COMMAND, COMFYUI_URL\n  → at ENGINE");
  if (mistakes.length > 0) throw new ConfigError(`the settings have mistakes:\n${mistakes.join("\n")}`);
  const values = parsed.data as Omit<Config, "aliasesUsed" | "environment">;
  return Object.freeze({ ...values, aliasesUsed, environment });
}

/** Undefined when there is nothing to read. */
function readSecret(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}

/** The settings as they may be shown: a secret only as set or not set. */
export function describeConfig(config: Config): Record<string, unknown> {
  const entries = (Object.entries(SETTINGS) as [Name, Setting][]).map(([name, { isSecret }]) => {
    const value = config[name];
    return [name, isSecret ? (value === undefined ? "not set" : "set") : (value ?? null)];
  });
  return Object.fromEntries(entries);
}

/** The README's table of settings. */
export function settingsTable(): string {
  const rows = (Object.entries(SETTINGS) as [Name, Setting][]).map(([name, { schema, description, aliases = [] }]) => {
    const fallback = schema.safeParse(undefined).data;
    const shown =
      fallback === undefined || fallback === "" || (Array.isArray(fallback) && fallback.length === 0)
        ? ""
        : `\`${fallback}\``;
    const also = aliases.length === 0 ? "" : ` Also read: ${aliases.map((alias) => `\`${alias}\``).join(", ")}.`;
    return `| \`${name}\` | ${shown} | ${description}.${also} |`;
  });
  return ["| setting | default | meaning |", "|---|---|---|", ...rows].join("\n");
}

if (import.meta.main && import.meta.url.endsWith(".ts")) process.stdout.write(`${settingsTable()}\n`);
