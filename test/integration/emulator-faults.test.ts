/** Each `--fault` of the emulator does what its table says: the tests of the product rely on it. */
import { once } from "node:events";
import { expect, test, vi } from "vitest";
import { connect, type Emulator, emptyImage, spawnEmulator, startEmulator, submit } from "../support/emulator.ts";

async function queueIds(emulator: Emulator) {
  const { queue_running: running, queue_pending: pending } = (await emulator.get("/queue")) as Record<
    string,
    [number, string][]
  >;
  return { running: running?.map(([, id]) => id), pending: pending?.map(([, id]) => id) };
}

test("boot-delay: lines are printed before the server listens", async () => {
  const emulator = await startEmulator("--fault", "boot-delay=450");
  expect(emulator.log().match(/ms to go/g)).toHaveLength(3);
});

test("boot-exit: a few lines, then the exit code", async () => {
  const emulator = spawnEmulator("--fault", "boot-exit=7");
  expect(await emulator.exited).toEqual([7, null]);
  expect(emulator.log()).toContain("No CUDA GPUs are available");
});

test("boot-silent: nothing is printed, and the process lives", async () => {
  const [silent, other] = [spawnEmulator("--fault", "boot-silent"), spawnEmulator()];
  await other.ready();
  expect(silent.log()).toBe("");
  expect(silent.process.exitCode).toBeNull();
});

test("crash: the process is gone when a node of the class runs", async () => {
  const emulator = await startEmulator("--fault", "crash=SaveImage");
  const client = await connect(emulator);
  await submit(emulator, client, emptyImage());
  expect(await emulator.exited).toEqual([null, "SIGKILL"]);
  await client.until(({ type, data }) => type === "executing" && data["node"] === "2");
});

test("oom: the first run fails as ComfyUI tells it, the next one works", async () => {
  const emulator = await startEmulator("--fault", "oom");
  const client = await connect(emulator);
  const [first, second] = [
    await submit(emulator, client, emptyImage(1)),
    await submit(emulator, client, emptyImage(2)),
  ];
  await client.untilDone(second);
  const failure = client.messages.find(({ type }) => type === "execution_error");
  expect(failure?.data).toMatchObject({ prompt_id: first, node_id: "1", exception_type: "torch.OutOfMemoryError" });
  expect(failure?.data["exception_message"]).toContain("TIPS:");
  expect(emulator.log()).toContain("Got an OOM, unloading all loaded models.");
  expect(await emulator.get(`/history/${second}`)).toMatchObject({ [second]: { status: { completed: true } } });
});

test("cuda-broken: every prompt fails with the CUDA error", async () => {
  const emulator = await startEmulator("--fault", "cuda-broken");
  const client = await connect(emulator);
  for (const color of [1, 2]) await client.untilDone(await submit(emulator, client, emptyImage(color)));
  const failures = client.messages.filter(({ type }) => type === "execution_error");
  expect(failures).toHaveLength(2);
  expect(failures[0]?.data["exception_message"]).toContain("CUDA error: an illegal memory access was encountered");
});

test("hang: the node ignores the interrupt, HTTP answers", async () => {
  const emulator = await startEmulator("--fault", "hang=EmptyImage");
  const client = await connect(emulator);
  const id = await submit(emulator, client, emptyImage());
  await client.until(({ type }) => type === "executing");
  await emulator.post("/interrupt", {});
  expect(await queueIds(emulator)).toEqual({ running: [id], pending: [] });
  expect(client.messages.map(({ type }) => type)).not.toContain("execution_interrupted");
});

test("deaf-socket: the first socket stays open without messages, a second one hears", async () => {
  const emulator = await startEmulator("--fault", "deaf-socket=3");
  const [first, second] = [await connect(emulator), await connect(emulator)];
  const id = await submit(emulator, first, emptyImage());
  await second.until(({ type, data }) => type === "status" && JSON.stringify(data).includes(":0}"));
  await vi.waitFor(async () => expect(await emulator.get(`/history/${id}`)).toHaveProperty(id));
  expect(first.messages).toHaveLength(3);
  expect(first.socket.readyState).toBe(first.socket.OPEN);
});

test("drop-socket: the first socket is cut, the prompt runs on", async () => {
  const emulator = await startEmulator("--fault", "drop-socket=3");
  const client = await connect(emulator);
  const closed = once(client.socket, "close");
  const id = await submit(emulator, client, emptyImage());
  expect((await closed)[0]).toBe(1006);
  await vi.waitFor(async () => expect(await emulator.get(`/history/${id}`)).toHaveProperty(id));
});

test.each(["loud", "silent"])("worker-dies=%s: the prompt stays in the queue for ever", async (manner) => {
  const emulator = await startEmulator("--fault", `worker-dies=${manner}`);
  const client = await connect(emulator);
  const [first, second] = [
    await submit(emulator, client, emptyImage(1)),
    await submit(emulator, client, emptyImage(2)),
  ];
  await expect.poll(() => queueIds(emulator)).toEqual({ running: [first], pending: [second] });
  expect(emulator.log().includes("Exception in thread Thread-1 (prompt_worker):")).toBe(manner === "loud");
});

test("no-end-event: the first prompt's history exists, its end is never told", async () => {
  const emulator = await startEmulator("--fault", "no-end-event");
  const client = await connect(emulator);
  const [first, second] = [
    await submit(emulator, client, emptyImage(1)),
    await submit(emulator, client, emptyImage(2)),
  ];
  await client.untilDone(second);
  expect(
    client.messages.some(
      ({ type, data }) => type === "executing" && data["node"] === null && data["prompt_id"] === first,
    ),
  ).toBe(false);
  expect(await emulator.get(`/history/${first}`)).toHaveProperty(first);
});

test("late-history: the end is told before the entry exists", async () => {
  const emulator = await startEmulator("--fault", "late-history=400");
  const client = await connect(emulator);
  const id = await submit(emulator, client, emptyImage());
  await client.untilDone(id);
  expect(await emulator.get(`/history/${id}`)).toEqual({});
  await vi.waitFor(async () => expect(await emulator.get(`/history/${id}`)).toHaveProperty(id));
});

test("http-deaf: no request is answered any more", async () => {
  const emulator = await startEmulator("--fault", "http-deaf");
  await emulator.get("/prompt");
  const signal = AbortSignal.timeout(300);
  const unanswered = fetch(`${emulator.url}/prompt`, { method: "POST", body: "{}", signal });
  await expect(unanswered).rejects.toThrow("timeout");
  await expect(fetch(`${emulator.url}/queue`, { signal: AbortSignal.timeout(300) })).rejects.toThrow("timeout");
});
