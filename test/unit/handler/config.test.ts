import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ConfigError, describeConfig, loadConfig, settingsTable } from "../../../handler/config.ts";

function mistakesOf(environment: Record<string, string>): string {
  try {
    loadConfig(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error("the settings were accepted");
}

function secretFile(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), "secrets-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "secret");
  writeFileSync(file, content);
  return file;
}

test("nothing set gives the defaults of a laptop", () => {
  expect(loadConfig({})).toMatchObject({
    HOST: "127.0.0.1",
    PORT: 3000,
    MAX_BODY_SIZE_MB: 100,
    MAX_QUEUE_DEPTH: 100,
    INVOCATION_TIMEOUT_SECONDS: 1800,
    SHUTDOWN_GRACE_SECONDS: 25,
    COMFYUI_ARGS: [],
    COMFYUI_PORT: 0,
    COMFYUI_MAX_RESTARTS: 3,
    WARMUP_FAILURE: "stop",
    S3_PREFIX: "",
    S3_PRESIGN_SECONDS: 604_800,
    AWS_REGION: "us-east-1",
    INLINE_MAX_MB: 256,
    LOG_LEVEL: "info",
    aliasesUsed: {},
  });
});

test("an empty variable counts as not set", () => {
  const given = { PORT: "", API_TOKEN: "", S3_BUCKET: "", ENGINE: "", COMFYUI_HOME: "" };
  expect(describeConfig(loadConfig(given))).toEqual(describeConfig(loadConfig({})));
});

describe("names of other servers are read, and told", () => {
  test.each([
    ["COMFY_HOME", "COMFYUI_HOME", "/opt/ComfyUI", "/opt/ComfyUI"],
    ["COMFYUI_INSTALL_PATH", "COMFYUI_HOME", "/opt/ComfyUI", "/opt/ComfyUI"],
    ["CMD", "COMFYUI_COMMAND", "python main.py", ["python", "main.py"]],
    ["COMFYUI_PORT_HOST", "COMFYUI_PORT", "8188", 8188],
    ["BUCKET_PREFIX", "S3_PREFIX", "out/", "out/"],
    ["BUCKET_ENDPOINT_URL", "AWS_ENDPOINT_URL", "http://minio:9000", "http://minio:9000"],
    ["AWS_DEFAULT_REGION", "AWS_REGION", "eu-west-1", "eu-west-1"],
    ["BUCKET_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID", "id", "id"],
    ["BUCKET_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "key", "key"],
  ] as const)("%s for %s", (alias, name, value, read) => {
    const config = loadConfig({ [alias]: value });
    expect(config[name]).toEqual(read);
    expect(config.aliasesUsed).toEqual({ [alias]: name });
  });

  test("our own name wins, and the alias is not told", () => {
    const config = loadConfig({ COMFY_HOME: "/theirs", COMFYUI_HOME: "/ours" });
    expect([config.COMFYUI_HOME, config.aliasesUsed]).toEqual(["/ours", {}]);
  });
});

describe("a command or arguments", () => {
  test.each<[string, string[]]>([
    ["python main.py --cpu", ["python", "main.py", "--cpu"]],
    ["  python   main.py ", ["python", "main.py"]],
    ['["python", "my folder/main.py"]', ["python", "my folder/main.py"]],
    ['["a", ""]', ["a", ""]],
  ])("%s", (text, words) => {
    expect(loadConfig({ COMFYUI_COMMAND: text, COMFYUI_ARGS: text })).toMatchObject({
      COMFYUI_COMMAND: words,
      COMFYUI_ARGS: words,
    });
  });

  test.each(['["python"', "[1]", '["a",'])("%s is refused", (text) => {
    expect(mistakesOf({ COMFYUI_ARGS: text })).toContain("COMFYUI_ARGS");
  });
});

describe("values at and beyond their limits", () => {
  test.each([
    ["PORT", "0", "65535", ["-1", "65536", "80.5", "http", "1,000"]],
    ["MAX_BODY_SIZE_MB", "0.001", "5000", ["0", "-1", "100MB"]],
    ["MAX_QUEUE_DEPTH", "0", "100000", ["-1", "1.5"]],
    ["INVOCATION_TIMEOUT_SECONDS", "0.5", "2000000", ["0", "-1", "2147484", "1e9", "Infinity"]],
    ["SHUTDOWN_GRACE_SECONDS", "0", "2000000", ["-1", "2147484"]],
    ["COMFYUI_INTERRUPT_GRACE_SECONDS", "0.5", "2000000", ["0", "2147484"]],
    ["S3_PRESIGN_SECONDS", "0", "604800", ["604801", "-1"]],
    ["INLINE_MAX_MB", "0.1", "350", ["351", "0"]],
    ["LOG_LEVEL", "trace", "error", ["verbose"]],
    ["ENGINE", "emulator", "emulator", ["cuda"]],
    ["COMFYUI_URL", "http://a:1", "https://b", ["b:8188", "ftp://b"]],
  ])("%s", (name, least, most, bad) => {
    for (const value of [least, most]) expect(() => loadConfig({ [name]: value })).not.toThrow();
    for (const value of bad) expect(mistakesOf({ [name]: value })).toContain(`at ${name}`);
  });

  test("every limit of time fits into a timer of Node", () => {
    const { INVOCATION_TIMEOUT_SECONDS, SHUTDOWN_GRACE_SECONDS } = loadConfig({
      INVOCATION_TIMEOUT_SECONDS: "2000000",
      SHUTDOWN_GRACE_SECONDS: "2000000",
    });
    expect(INVOCATION_TIMEOUT_SECONDS * 1000).toBeLessThan(2 ** 31);
    expect(SHUTDOWN_GRACE_SECONDS * 1000 + 3_000).toBeLessThan(2 ** 31);
  });
});

test("all mistakes are told at once", () => {
  const text = mistakesOf({
    PORT: "x",
    LOG_LEVEL: "loud",
    AWS_ENDPOINT_URL: "minio",
    ENGINE: "comfyui",
    API_TOKEN_FILE: "/no/such/file",
  });
  for (const name of ["PORT", "LOG_LEVEL", "AWS_ENDPOINT_URL", "ENGINE", "API_TOKEN_FILE"])
    expect(text).toContain(`at ${name}`);
});

describe("ENGINE=comfyui", () => {
  test("needs something to run", () => {
    expect(mistakesOf({ ENGINE: "comfyui" })).toContain("COMFYUI_HOME, COMFYUI_COMMAND, COMFYUI_URL");
  });

  test.each(["COMFYUI_HOME", "COMFYUI_COMMAND", "COMFY_HOME"])("is content with %s", (name) => {
    expect(loadConfig({ ENGINE: "comfyui", [name]: "x" }).ENGINE).toBe("comfyui");
  });
});

describe("secrets in files", () => {
  test.each(["API_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] as const)(
    "%s, without its line end",
    (name) => {
      expect(loadConfig({ [`${name}_FILE`]: secretFile("s3cret\n") })[name]).toBe("s3cret");
    },
  );

  test("give way to the variable", () => {
    expect(loadConfig({ API_TOKEN: "direct", API_TOKEN_FILE: "/no/such/file" }).API_TOKEN).toBe("direct");
  });

  test("must not be empty: no token would be no check", () => {
    expect(mistakesOf({ API_TOKEN_FILE: secretFile(" \n") })).toContain("API_TOKEN_FILE");
  });

  test("exist for secrets alone", () => {
    expect(loadConfig({ S3_BUCKET_FILE: secretFile("b") }).S3_BUCKET).toBeUndefined();
  });
});

describe("the settings as they are shown", () => {
  const secrets = { API_TOKEN: "hush-1", AWS_SECRET_ACCESS_KEY: "hush-2", AWS_SESSION_TOKEN: "hush-3" };

  test("hide secrets and the environment", () => {
    const shown = describeConfig(loadConfig({ ...secrets, OTHER_SECRET: "hush-4" }));
    expect(JSON.stringify(shown)).not.toContain("hush");
    expect(shown).toMatchObject({ API_TOKEN: "set", AWS_SECRET_ACCESS_KEY: "set", AWS_SESSION_TOKEN: "set" });
  });

  test("tell what is not set, and everything else as it is", () => {
    expect(describeConfig(loadConfig({}))).toMatchObject({
      API_TOKEN: "not set",
      PORT: 3000,
      S3_BUCKET: null,
      ENGINE: null,
    });
  });
});

test("the table lists every setting with its default and aliases", () => {
  const table = settingsTable();
  for (const name of Object.keys(describeConfig(loadConfig({})))) expect(table).toContain(`| \`${name}\` |`);
  expect(table).toContain("| `PORT` | `3000` |");
  expect(table).toContain("Also read: `COMFY_HOME`, `COMFYUI_INSTALL_PATH`.");
});

describe("credentials of A1111's routes", () => {
  test.each([
    ["user:pass", ["user:pass"]],
    ["user:pass,second:with:colon", ["user:pass", "second:with:colon"]],
    ["user:with,comma\nsecond:pass\n", ["user:with,comma", "second:pass"]],
  ])("%j", (value, credentials) => {
    expect(loadConfig({ SDAPI_AUTH: value }).SDAPI_AUTH).toEqual(credentials);
  });

  test("they may lie in a file, and are never shown", () => {
    const config = loadConfig({ SDAPI_AUTH_FILE: secretFile("user:with,comma\nsecond:pass\n") });
    expect(config.SDAPI_AUTH).toEqual(["user:with,comma", "second:pass"]);
    expect(describeConfig(config)).toMatchObject({ SDAPI_AUTH: "set" });
  });

  test.each(["user", ":pass", "user:", "user:pass,second", ","])("%j is a mistake", (value) => {
    expect(mistakesOf({ SDAPI_AUTH: value })).toContain("SDAPI_AUTH");
  });
});

test("origins are separated by commas or blanks", () => {
  expect(loadConfig({}).CORS_ORIGINS).toEqual([]);
  expect(loadConfig({ CORS_ORIGINS: "https://a.example, http://localhost:8080" }).CORS_ORIGINS).toEqual([
    "https://a.example",
    "http://localhost:8080",
  ]);
});

describe("a switch", () => {
  test.each([
    ["", false],
    ["false", false],
    ["0", false],
    ["true", true],
    ["1", true],
    ["TRUE", true],
  ])("%j is %j", (given, read) => {
    expect(loadConfig({ SDAPI_LENIENT: given }).SDAPI_LENIENT).toBe(read);
  });

  test("anything else is refused", () => {
    expect(mistakesOf({ SDAPI_LENIENT: "maybe" })).toContain("at SDAPI_LENIENT");
  });
});
