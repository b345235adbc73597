/** What the surroundings are told about the work of this process, and what makes it leave before anybody sends a signal. */
import { protectTask } from "./ecs.ts";
import type { Departure, Hook, HookContext } from "./hook.ts";
import { leaveWhenIdle, leaveWhenWorn } from "./retirement.ts";
import { tellDeletionCost } from "./salad.ts";
import { watchSpotNotice } from "./spot.ts";

const HOOKS: readonly Hook[] = [protectTask, tellDeletionCost, watchSpotNotice, leaveWhenIdle, leaveWhenWorn];

/** Resolves when one of the hooks wants the process to leave. */
export function startLifecycle({ log, ...context }: Omit<HookContext, "leave">): Promise<Departure> {
  return new Promise((resolve) => {
    const leave = (departure: Departure) => {
      log.info({ ...departure }, `leaving: ${departure.reason}`);
      resolve(departure);
    };
    for (const hook of HOOKS) hook({ ...context, log, leave });
  });
}
