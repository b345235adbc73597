/** A worker that ends by itself: when it has had nothing to do for a while, or has done its share. */
import type { Hook } from "./hook.ts";

/** IDLE_EXIT_SECONDS, counted from when the engine serves. */
export const leaveWhenIdle: Hook = ({ endpoint, config, leave }) => {
  const idleMs = config.IDLE_EXIT_SECONDS * 1000;
  if (idleMs === 0) return undefined;
  const stopped = new AbortController();
  let clock: NodeJS.Timeout | undefined;
  const rest = (inFlight: number) => {
    clearTimeout(clock);
    if (inFlight > 0 || stopped.signal.aborted) return;
    clock = setTimeout(() => leave({ reason: `nothing to do for ${config.IDLE_EXIT_SECONDS} s` }), idleMs);
  };
  let ended: (() => void) | undefined;
  const begin = () => {
    ended = endpoint.onLoad(rest);
    rest(endpoint.inFlight);
  };
  // An engine that never serves ends the worker in its own way.
  endpoint.whenServing(stopped.signal).then(begin, () => {});
  return () => {
    stopped.abort();
    clearTimeout(clock);
    ended?.();
  };
};

/** MAX_INVOCATIONS: against what leaks in custom nodes over time. */
export const leaveWhenWorn: Hook = ({ endpoint, config: { MAX_INVOCATIONS: max }, leave }) => {
  if (max === 0) return undefined;
  let done = 0;
  let before = 0;
  return endpoint.onLoad((inFlight) => {
    if (inFlight < before && ++done === max) leave({ reason: `${max} invocations are done` });
    before = inFlight;
  });
};
