/** Reads the settings, the only reader of process.env. `node handler/config.ts` prints the README's table. */
import { readFileSync } from "node:fs";
import * as z from "zod";
import { readBucketAddress } from "./bucket-address.ts";
import { SETTINGS, type Setting } from "./settings.ts";

type Name = keyof typeof SETTINGS;
type Environment = Readonly<Record<string, string | undefined>>;
/** What a table of settings gives. */
type Values<T extends Record<string, Setting>> = Readonly<{ [N in keyof T]: z.output<T[N]["schema"]> }>;
export type Config = Values<typeof SETTINGS> & {
  /** `alias -> our name`, for those that stood in. */
  readonly aliasesUsed: Readonly<Record<string, string>>;
  /** The environment as it was, for child processes. */
  readonly environment: Environment;
};

/** A mistake in the settings; its message lists every one. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Reads the settings that concern every platform.
 * @param given what the command line says, in place of the environment.
 * @throws ConfigError that names each setting at fault.
 */
export function loadConfig(surroundings: Environment = process.env, given: Environment = {}): Config {
  const environment = { ...surroundings, ...given };
  const { values, aliasesUsed, mistakes } = read(SETTINGS, environment);
  if (values.ENGINE === "comfyui" && !(values.COMFYUI_HOME || values.COMFYUI_COMMAND || values.COMFYUI_URL))
    mistakes.push("✖ `comfyui` needs one of COMFYUI_HOME, COMFYUI_COMMAND, COMFYUI_URL\n  → at ENGINE");
  refuse(mistakes);
  return Object.freeze({ ...values, ...bucketInAddress(values, aliasesUsed), aliasesUsed, environment });
}

/** worker-comfyui's one setting for the service and the bucket. */
function bucketInAddress(
  { S3_BUCKET, AWS_ENDPOINT_URL }: Values<typeof SETTINGS>,
  aliasesUsed: Config["aliasesUsed"],
): Partial<Config> {
  if (S3_BUCKET !== undefined || !("BUCKET_ENDPOINT_URL" in aliasesUsed)) return {};
  const found = readBucketAddress(AWS_ENDPOINT_URL!);
  if (found === undefined) return {};
  const { bucket, endpoint, region } = found;
  return { S3_BUCKET: bucket, AWS_ENDPOINT_URL: endpoint, ...(region !== undefined && { AWS_REGION: region }) };
}

/**
 * Reads a platform's own table of settings.
 * @throws ConfigError that names each setting at fault.
 */
export function readSettings<T extends Record<string, Setting>>(table: T, environment: Environment): Values<T> {
  const { values, mistakes } = read(table, environment);
  refuse(mistakes);
  return values;
}

/** The settings with a platform's own defaults where the environment names none. */
export function withDefaults(config: Config, defaults: Partial<Config>): Config {
  const open = Object.entries(defaults).filter(([name]) => !config.environment[name]);
  return Object.freeze({ ...config, ...Object.fromEntries(open) });
}

function read<T extends Record<string, Setting>>(table: T, environment: Environment) {
  const aliasesUsed: Record<string, string> = {};
  const given: Record<string, string> = {};
  const mistakes: string[] = [];
  for (const [name, setting] of Object.entries(table)) {
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
  const shape = Object.fromEntries(Object.entries(table).map(([name, { schema }]) => [name, schema]));
  // Read once, before ComfyUI is started: compiling a parser for it takes longer than the reading.
  const parsed = z.object(shape).safeParse(given, { jitless: true });
  if (!parsed.success) mistakes.push(z.prettifyError(parsed.error));
  // What could not be read is told as a mistake, and nobody sees the values then.
  return { values: (parsed.data ?? given) as Values<T>, aliasesUsed, mistakes };
}

function refuse(mistakes: readonly string[]): void {
  if (mistakes.length > 0) throw new ConfigError(`the settings have mistakes:\n${mistakes.join("\n")}`);
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

/** A table of settings for people. */
export function settingsTable(table: Record<string, Setting> = SETTINGS): string {
  const rows = Object.entries(table).map(([name, { schema, description, aliases = [] }]) => {
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
