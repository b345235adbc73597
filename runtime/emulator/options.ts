/** The command line: ComfyUI's flags as far as a supervisor passes them, and two of the emulator's own. */
import { parseArgs } from "node:util";
import { FAULT_NAMES } from "./faults/index.ts";

interface Flag {
  value?: string;
  multiple?: true;
  help: string;
}

/** Flags that act. */
const FLAGS = {
  listen: { value: "IP", help: "address to listen on (127.0.0.1)" },
  port: { value: "PORT", help: "port to listen on (8188); 0 takes a free one" },
  "base-directory": { value: "DIR", help: "holds input, output, temp and user (a fresh temporary folder)" },
  "input-directory": { value: "DIR", help: "pictures that LoadImage finds" },
  "output-directory": { value: "DIR", help: "where SaveImage writes" },
  "temp-directory": { value: "DIR", help: "DIR/temp is wiped at start" },
  "user-directory": { value: "DIR", help: "must exist" },
  "max-upload-size": { value: "MB", help: "largest request body (100)" },
  "extra-model-paths-config": { value: "FILE", multiple: true, help: "names comfy-endpoint's own nodes, or nothing" },
  "preview-method": { value: "METHOD", help: "none, auto, latent2rgb or taesd (none)" },
  "preview-size": { value: "PIXELS", help: "longest side of a preview (512)" },
  "disable-metadata": { help: "write no prompt into pictures" },
  "cache-none": { help: "keep no results between prompts" },
  "cache-lru": { value: "N", help: "keep the last N results" },
  "step-delay": { value: "MS", help: "emulator: time of one sampling step (1)" },
  fault: { value: "NAME[=VALUE]", multiple: true, help: `emulator: ${FAULT_NAMES.join(", ")}` },
  help: { help: "show this text" },
} as const satisfies Record<string, Flag>;

/** Flags of ComfyUI 0.33.0 that change nothing here. */
const IGNORED_FLAGS: Record<string, Flag["value"]> = {
  "async-offload": undefined,
  "cache-classic": undefined,
  cpu: undefined,
  "cuda-malloc": undefined,
  deterministic: undefined,
  "disable-all-custom-nodes": undefined,
  "disable-api-nodes": undefined,
  "disable-async-offload": undefined,
  "disable-auto-launch": undefined,
  "disable-cuda-malloc": undefined,
  "disable-dynamic-vram": undefined,
  "disable-mmap": undefined,
  "disable-pinned-memory": undefined,
  "disable-smart-memory": undefined,
  "disable-xformers": undefined,
  "enable-dynamic-vram": undefined,
  "fast-disk": undefined,
  "force-fp16": undefined,
  "force-fp32": undefined,
  "gpu-only": undefined,
  "high-ram": undefined,
  highvram: undefined,
  "log-stdout": undefined,
  lowvram: undefined,
  "multi-user": undefined,
  novram: undefined,
  "use-flash-attention": undefined,
  "use-pytorch-cross-attention": undefined,
  "use-sage-attention": undefined,
  "cache-ram": "GB",
  "cuda-device": "ID",
  "database-url": "URL",
  "default-device": "ID",
  fast: "NAME",
  "front-end-root": "DIR",
  "front-end-version": "VERSION",
  "models-directory": "DIR",
  "reserve-vram": "GB",
  verbose: "LEVEL",
  "vram-headroom": "GB",
  "whitelist-custom-nodes": "NAME",
};

/** Flags whose value may be left out. */
const OPTIONAL_VALUES: Record<string, string> = { listen: "0.0.0.0", verbose: "DEBUG", fast: "all", "cache-ram": "4" };

export type Values = Partial<
  Record<
    Exclude<keyof typeof FLAGS, "fault" | "help" | "disable-metadata" | "cache-none" | "extra-model-paths-config">,
    string
  >
> & {
  fault?: string[];
  "extra-model-paths-config"?: string[];
  help?: boolean;
  "disable-metadata"?: boolean;
  "cache-none"?: boolean;
};

/** @throws TypeError for a flag that does not exist or lacks its value */
export function parseFlags(argv: readonly string[]): Values {
  const known: Record<string, Flag> = {
    ...FLAGS,
    ...Object.fromEntries(
      Object.entries(IGNORED_FLAGS).map(([name, value]) => [name, { ...(value !== undefined && { value }), help: "" }]),
    ),
  };
  const options = Object.fromEntries(
    Object.entries(known).map(([name, { value, multiple }]) => [
      name,
      { type: value === undefined ? ("boolean" as const) : ("string" as const), multiple: multiple ?? false },
    ]),
  );
  // Several of ComfyUI's flags take more than one value: what follows such a flag is accepted and ignored.
  const { values } = parseArgs({ args: withValues(argv), options, allowPositionals: true, strict: true });
  return values as Values;
}

function withValues(argv: readonly string[]): string[] {
  return argv.flatMap((arg, i) => {
    const fallback = OPTIONAL_VALUES[arg.slice(2)];
    const next = argv[i + 1];
    return arg.startsWith("--") && fallback !== undefined && (next === undefined || next.startsWith("--"))
      ? [arg, fallback]
      : [arg];
  });
}

export function helpText(): string {
  const acting = Object.entries(FLAGS as Record<string, Flag>).map(
    ([name, { value, help }]) => `  --${name}${value ? ` ${value}` : ""}\n        ${help}`,
  );
  const ignored = Object.entries(IGNORED_FLAGS).map(([name, value]) => `  --${name}${value ? ` ${value}` : ""}`);
  return ["usage: main.ts [flags]", "", ...acting, "", "accepted, without effect:", ...ignored].join("\n");
}
