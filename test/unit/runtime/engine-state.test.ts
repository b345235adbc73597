import { describe, expect, test } from "vitest";
import { type EngineState, StateMachine, type Transition } from "../../../runtime/engine-state.ts";

/** A way to each state. */
const PATHS: Record<EngineState, EngineState[]> = {
  starting: [],
  warming: ["warming"],
  ready: ["warming", "ready"],
  busy: ["warming", "ready", "busy"],
  restarting: ["warming", "ready", "restarting"],
  draining: ["draining"],
  stopped: ["draining", "stopped"],
  failed: ["failed"],
  defunct: ["warming", "ready", "restarting", "defunct"],
};

const LEGAL: Record<EngineState, EngineState[]> = {
  starting: ["warming", "failed", "restarting", "draining"],
  warming: ["ready", "failed", "restarting", "draining"],
  ready: ["busy", "restarting", "draining"],
  busy: ["ready", "restarting", "draining"],
  restarting: ["starting", "defunct", "draining"],
  draining: ["stopped"],
  stopped: [],
  failed: [],
  defunct: [],
};

const STATES = Object.keys(PATHS) as EngineState[];

function machineIn(state: EngineState): StateMachine {
  const machine = new StateMachine();
  for (const step of PATHS[state]) machine.transition(step, "on the way");
  return machine;
}

describe.each(STATES)("from %s", (from) => {
  test.each(STATES)("to %s", (to) => {
    const machine = machineIn(from);
    if (LEGAL[from].includes(to)) {
      machine.transition(to, "test");
      expect(machine.state).toBe(to);
    } else {
      expect(() => machine.transition(to, "because")).toThrow(`no way from ${from} to ${to} (because)`);
      expect(machine.state).toBe(from);
    }
  });
});

test("listeners hear of each transition until they leave; a refused one is not told", () => {
  const machine = new StateMachine();
  const heard: Transition[] = [];
  const leave = machine.onTransition((transition) => heard.push(transition));
  machine.transition("warming", "it answers");
  expect(() => machine.transition("busy", "too early")).toThrow();
  leave();
  machine.transition("ready", "warm");
  expect(heard).toEqual([{ from: "starting", to: "warming", reason: "it answers", elapsedMs: expect.any(Number) }]);
});
