import { expect, test } from "vitest";
import { Permit } from "../../../runtime/permit.ts";

const never = new AbortController().signal;

/** Acquires in the background; tells when and in which order. */
function lineUp(permit: Permit, names: string[], order: string[], signal = never) {
  return names.map(async (name) => {
    const release = await permit.acquire(signal);
    order.push(name);
    return release;
  });
}

test("the first comes at once, the others in the order of asking", async () => {
  const permit = new Permit();
  const order: string[] = [];
  const turns = lineUp(permit, ["a", "b", "c"], order);
  const releaseA = await turns[0]!;
  expect([order, permit.waiting]).toEqual([["a"], 2]);

  releaseA();
  const releaseB = await turns[1]!;
  expect([order, permit.waiting]).toEqual([["a", "b"], 1]);

  releaseB();
  (await turns[2]!)();
  expect([order, permit.waiting]).toEqual([["a", "b", "c"], 0]);
});

test("whoever asks while a turn is being passed on waits behind it", async () => {
  const permit = new Permit();
  const order: string[] = [];
  const [first, second] = lineUp(permit, ["a", "b"], order);
  (await first!)();
  const [third] = lineUp(permit, ["c"], order);
  (await second!)();
  await third;
  expect(order).toEqual(["a", "b", "c"]);
});

test("giving a turn back twice lets in one, not two", async () => {
  const permit = new Permit();
  const order: string[] = [];
  const [first, second] = lineUp(permit, ["a", "b", "c"], order);
  const release = await first!;
  release();
  release();
  await second;
  await Promise.resolve();
  expect([order, permit.waiting]).toEqual([["a", "b"], 1]);
});

test("an aborted wait ends with the signal's reason and leaves the line", async () => {
  const permit = new Permit();
  const release = await permit.acquire(never);
  const abort = new AbortController();
  const impatient = permit.acquire(abort.signal);
  const patient = permit.acquire(never);
  abort.abort(new Error("gone"));

  await expect(impatient).rejects.toThrow("gone");
  expect(permit.waiting).toBe(1);
  release();
  await expect(patient).resolves.toBeTypeOf("function");
});

test("a turn given just before the abort is not lost", async () => {
  const permit = new Permit();
  const release = await permit.acquire(never);
  const abort = new AbortController();
  const second = permit.acquire(abort.signal);
  const third = permit.acquire(never);
  release();
  abort.abort(new Error("too late to leave the line"));

  (await second)();
  await expect(third).resolves.toBeTypeOf("function");
});

test("an aborted signal is refused without disturbing the line", async () => {
  const permit = new Permit();
  await expect(permit.acquire(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  await expect(permit.acquire(never)).resolves.toBeTypeOf("function");
});
