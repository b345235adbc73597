/** `/prompt`, `/queue`, `/history`, `/interrupt`, `/free`: what is queued, runs and has run. */
import { randomUUID } from "node:crypto";
import type { Context, Hono } from "hono";
import type { Executor } from "../executor.ts";
import { isJobId } from "../jobs.ts";
import { log } from "../log.ts";
import type { Installation, Prompt } from "../prompt.ts";
import { dumps, PythonError, repr, toFloat, truthy, typeName } from "../python.ts";
import { type PromptQueue, toRow } from "../queue.ts";
import { validatePrompt } from "../validate.ts";
import { empty, json, readJson, readObject } from "./http.ts";

const SECRET_KEYS = ["auth_token_comfy_org", "api_key_comfy_org"];

const REFUSALS = {
  no_prompt: { message: "No prompt provided", details: "No prompt provided" },
  invalid_prompt_id: {
    message: "prompt_id must be a valid UUID",
    details:
      "prompt_id must be a UUID string in canonical lowercase hyphenated form; omit it to let the server generate one",
  },
} as const;

function refuse(type: keyof typeof REFUSALS): Response {
  return json({ error: { type, ...REFUSALS[type], extra_info: {} }, node_errors: {} }, 400);
}

export function queueInfo(queue: PromptQueue) {
  return { exec_info: { queue_remaining: queue.remaining } };
}

export function addPromptRoutes(app: Hono, queue: PromptQueue, executor: Executor, installation: Installation): void {
  // Advances for rejected prompts too.
  let counter = 0;

  app.get("/prompt", () => json(queueInfo(queue)));
  // Of our own node folder (runtime/comfyui_nodes), not of ComfyUI.
  app.get("/comfy_endpoint/worker", () => json({ alive: queue.hasWorker }));

  app.post("/prompt", async (c) => {
    log.info("got prompt");
    const body = await readJson(c);
    if (body === null) throw new TypeError("argument of type 'NoneType' is not iterable");
    const fields = (typeName(body) === "dict" ? body : {}) as Record<string, unknown>;
    const number = Object.hasOwn(fields, "number")
      ? toFloat(fields["number"])
      : truthy(fields["front"])
        ? -counter++
        : counter++;
    if (!Object.hasOwn(fields, "prompt")) return refuse("no_prompt");
    const promptId = fields["prompt_id"] ?? randomUUID();
    if (!isJobId(promptId)) return refuse("invalid_prompt_id");

    const { error, outputs, nodeErrors } = validatePrompt(
      fields["prompt"],
      fields["partial_execution_targets"],
      installation,
    );
    const extraData = readExtraData(c, fields, error === undefined);
    if (error !== undefined) {
      log.warning(`invalid prompt: ${repr(JSON.parse(dumps(error)))}`);
      return json({ error, node_errors: nodeErrors }, 400);
    }
    const secrets: Record<string, unknown> = {};
    for (const key of SECRET_KEYS) {
      if (!Object.hasOwn(extraData, key)) continue;
      secrets[key] = extraData[key];
      delete extraData[key];
    }
    extraData["create_time"] = Date.now();
    queue.put({ number, promptId, prompt: fields["prompt"] as Prompt, extraData, outputs, secrets });
    return json({ prompt_id: promptId, number, node_errors: nodeErrors });
  });

  app.get("/queue", () =>
    json({
      queue_running: queue.running === undefined ? [] : [toRow(queue.running)],
      queue_pending: queue.pending.map(toRow),
    }),
  );

  app.post("/queue", async (c) => {
    const body = await readObject(c);
    if (truthy(body["clear"])) queue.clear();
    for (const id of deletions(body)) queue.delete(id);
    return empty(200);
  });

  app.get("/history", (c) => json(queue.page(integer(c.req.query("max_items")), integer(c.req.query("offset")))));

  app.get("/history/:id", (c) => {
    const entry = queue.history.get(c.req.param("id"));
    return json(entry === undefined ? {} : { [c.req.param("id")]: entry });
  });

  app.post("/history", async (c) => {
    const body = await readObject(c);
    if (truthy(body["clear"])) queue.history.clear();
    for (const id of deletions(body)) queue.history.delete(id as string);
    return empty(200);
  });

  app.post("/interrupt", async (c) => {
    const id = await readObject(c).then(
      (body) => body["prompt_id"],
      (error) => {
        if (error instanceof SyntaxError) return undefined;
        throw error;
      },
    );
    if (!truthy(id)) {
      log.info("Global interrupt (no prompt_id specified)");
      executor.interrupt();
    } else if (queue.running?.promptId === id) {
      log.info(`Interrupting prompt ${id}`);
      executor.interrupt();
    } else log.info(`Prompt ${id} is not currently running, skipping interrupt`);
    return empty(200);
  });

  app.post("/free", async (c) => {
    const body = await readObject(c);
    // The emulator holds no models, so `unload_models` alone changes nothing.
    if (truthy(body["free_memory"])) {
      queue.shouldFreeMemory = true;
      queue.wake();
    }
    return empty(200);
  });
}

/** @throws PythonError for what is not an object, where ComfyUI would only notice it (accepted prompts, or null) */
function readExtraData(c: Context, fields: Record<string, unknown>, isAccepted: boolean): Record<string, unknown> {
  const extraData = Object.hasOwn(fields, "extra_data") ? fields["extra_data"] : {};
  const hasClient = Object.hasOwn(fields, "client_id");
  if (typeName(extraData) !== "dict") {
    if (isAccepted || hasClient || extraData === null)
      throw new PythonError("TypeError", `'${typeName(extraData)}' object does not support item assignment`);
    return {};
  }
  const data = extraData as Record<string, unknown>;
  if (hasClient) data["client_id"] = fields["client_id"];
  const usageSource = c.req.header("Comfy-Usage-Source");
  if (usageSource && !Object.hasOwn(data, "comfy_usage_source")) data["comfy_usage_source"] = usageSource;
  return data;
}

/** @throws TypeError when `delete` cannot be iterated */
function deletions(body: Record<string, unknown>): Iterable<unknown> {
  return [...((body["delete"] ?? []) as Iterable<unknown>)];
}

/** @throws RangeError when it is not an integer */
function integer(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\s*[+-]?\d+\s*$/.test(text)) throw new RangeError(`invalid literal for int() with base 10: ${repr(text)}`);
  return Number(text);
}
