/** Scale-in protection of an ECS task: neither scale-in nor a deployment ends a task that works. */
import { setTimeout as sleep } from "node:timers/promises";
import { Announcement } from "./announcement.ts";
import type { Hook } from "./hook.ts";

/** What the agent takes. */
const MAX_MINUTES = 2880;
/** Work waits so long for its protection at the most. */
const MAX_WAIT_MS = 1_000;

interface Answer {
  failure?: { Reason?: string; Detail?: string };
  error?: { Code?: string; Message?: string };
}

/** Protects while an invocation is in flight, from before its work begins; the protection is renewed before it ends. */
export const protectTask: Hook = ({ endpoint, config, log }) => {
  const { ECS_AGENT_URI: agent } = config.environment;
  if (!agent) return undefined;
  const minutes = Math.min(Math.ceil(config.INVOCATION_TIMEOUT_SECONDS / 60) + 1, MAX_MINUTES);
  let isOfService = true;

  const send = async (isProtected: boolean, signal: AbortSignal) => {
    if (!isOfService) return;
    const response = await fetch(`${agent}/task-protection/v1/state`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ProtectionEnabled: isProtected, ...(isProtected && { ExpiresInMinutes: minutes }) }),
      signal,
    });
    const { failure, error } = (await response.json()) as Answer;
    if (failure?.Reason === "TASK_NOT_VALID") {
      isOfService = false;
      log.info("this task belongs to no ECS service: it needs no protection from scale-in");
      return;
    }
    if (response.ok && !failure && !error) return;
    const words = failure?.Detail ?? failure?.Reason ?? error?.Message ?? error?.Code;
    throw new Error(`${response.status}: ${words ?? "the ECS agent gave no reason"}`);
  };
  const protection = new Announcement<boolean>({
    send,
    onFailure: (error) => log.warn({ err: error }, "the ECS agent does not change the task's protection; trying again"),
  });
  const ended = endpoint.onLoad((inFlight) => protection.set(inFlight > 0));
  const ungated = endpoint.beforeWork(() => {
    protection.set(true);
    return Promise.race([protection.heard(), sleep(MAX_WAIT_MS, undefined, { ref: false })]);
  });
  const renewal = setInterval(() => endpoint.inFlight > 0 && protection.repeat(true), (minutes * 60_000) / 2);
  return () => {
    ended();
    ungated();
    clearInterval(renewal);
    protection.stop();
  };
};
