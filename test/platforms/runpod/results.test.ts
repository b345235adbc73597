/** Ways in which RunPod may not take a result, and what becomes of it. */
import { randomBytes } from "node:crypto";
import { startFauxqs } from "fauxqs";
import sharp from "sharp";
import { expect, onTestFinished, test } from "vitest";
import type { Answer } from "../../support/job-server.ts";
import { handsOut } from "../../support/job-server.ts";
import { quickTxt2Img } from "../../support/payloads.ts";
import { replay } from "../../support/runpod-scenarios.ts";
import { quickJob, resultOf, resultsOf, startWorker } from "../../support/runpod-worker.ts";

const RESET: Answer = { status: 0 };
const errorOf = (body: Record<string, unknown>) => String(body["error"]);

/** What is answered to the first attempts at bringing the result, and how many there must be. */
const ATTEMPTS: Record<string, { answers: Answer[]; attempts: number; outcome: "delivered" | "gone" }> = {
  "done-503": { answers: [{ status: 503 }], attempts: 2, outcome: "delivered" },
  "done-500x3": { answers: [{ status: 500 }, { status: 500 }, { status: 500 }], attempts: 4, outcome: "delivered" },
  "done-reset": { answers: [RESET], attempts: 2, outcome: "delivered" },
  "done-reset-x3": { answers: [RESET, RESET, RESET], attempts: 4, outcome: "delivered" },
  "done-reset-then-refused": { answers: [{ ...RESET, afterMs: 1_000 }], attempts: 2, outcome: "delivered" },
  "done-mixed": { answers: [RESET, { status: 503 }], attempts: 3, outcome: "delivered" },
  "done-429": { answers: [{ status: 429 }], attempts: 2, outcome: "delivered" },
  "done-404": { answers: [{ status: 404 }], attempts: 1, outcome: "gone" },
  "done-hang": { answers: [{ json: {}, afterMs: 4_000 }], attempts: 1, outcome: "delivered" },
};

for (const [name, { answers, attempts, outcome }] of Object.entries(ATTEMPTS)) {
  replay(name, `F8: the same result, ${attempts} times, and no other job meanwhile`, async () => {
    const { server, endpoint } = await startWorker({ take: [handsOut(quickJob("job-1"))], done: answers });
    await server.calledTimes("take", 2);
    const posts = server.on("done");
    expect(posts).toHaveLength(attempts);
    expect(new Set(posts.map(({ body }) => body)).size, "the same body").toBe(1);
    expect(posts[0]!.body).toContain('"status":"succeeded"');
    const gaps = posts.slice(1).map(({ at }, index) => at - posts[index]!.at);
    expect(Math.min(...gaps, 500), "not at once").toBeGreaterThan(480);
    // One that was under way when the job came does not list it yet.
    const [first, last] = [posts[0]!.at + 500, posts.at(-1)!.at];
    const pings = server.on("ping").filter(({ at }) => at > first && at < last);
    expect(
      pings.every(({ target }) => target.includes("job_id=job-1")),
      "pings list it",
    ).toBe(true);
    const delivered = endpoint.log.some(({ message }) => message === "result delivered");
    expect(delivered ? "delivered" : "gone").toBe(outcome);
  });
}

replay(["done-400", "done-413"], "F9: not sent again; an error that says why takes its place, once", async () => {
  const jobs = ["job-1", "job-2", "job-3"].map((id) => handsOut(quickJob(id)));
  const done = [{ status: 400, text: "too big" }, {}, { status: 413 }, {}, { status: 400 }, { status: 400 }];
  const { server } = await startWorker({ take: jobs, done });
  const results = await resultsOf(server, 6);
  expect(results.map(({ id }) => id)).toEqual(["job-1", "job-1", "job-2", "job-2", "job-3", "job-3"]);
  for (const { body } of results.filter((_, index) => index % 2 === 1)) {
    expect(errorOf(body)).toMatch(/^output_too_large: .*S3_BUCKET/);
  }
  await server.calledTimes("take", 4);
});

/** A call whose picture comes back as it is, and does not get smaller, being noise: so many megabytes as base64. */
async function noiseJob(id: string, megabytes: number) {
  const width = 1_000;
  const height = Math.round((megabytes * 1e6 * 0.75) / 3 / width);
  const raw = { width, height, channels: 3 as const };
  const png = await sharp(randomBytes(width * height * 3), { raw })
    .png({ compressionLevel: 0 })
    .toBuffer();
  const payload = { image: png.toString("base64"), upscaling_resize: 1 };
  return { id, input: { api: { method: "POST", endpoint: "/sdapi/v1/extra-single-image" }, payload } };
}

replay(
  ["output-8mb", "output-12mb", "output-25mb"],
  "F16: a result that RunPod would drop fails with the reason instead",
  async () => {
    const sizes = { "job-8": 8, "job-12": 12, "sync-12": 12, "sync-25": 25 };
    const jobs = await Promise.all(Object.entries(sizes).map(([id, size]) => noiseJob(id, size)));
    const { server } = await startWorker({ take: jobs.map((job) => handsOut(job)) });
    const bodies = Object.fromEntries((await resultsOf(server, 4)).map(({ id, body }) => [id, body]));
    for (const id of ["job-8", "sync-12"])
      expect(bodies[id], id).toMatchObject({ output: { image: expect.any(String) } });
    expect(errorOf(bodies["job-12"]!)).toMatch(/1[23]\.\d MB.* 9\.5.*S3_BUCKET/);
    expect(errorOf(bodies["sync-25"]!)).toMatch(/2[5-7]\.\d MB.* 19\.0.*S3_BUCKET/);
  },
);

async function startBucket() {
  const server = await startFauxqs({ port: 0, logger: false });
  onTestFinished(() => server.stop());
  server.createBucket("pictures");
  return {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${server.port}`,
    S3_BUCKET: "pictures",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  };
}

replay("output-12mb-400", "F9: with a bucket, links take the place of the result", async () => {
  const job = { id: "job-1", input: quickTxt2Img() };
  const { server } = await startWorker({ take: [handsOut(job)], done: [{ status: 400 }] }, await startBucket());
  const [refused, links] = await resultsOf(server, 2);
  expect(refused!.body).toMatchObject({ output: { images: [expect.any(String)] } });
  const { outputs } = links!.body["output"] as { outputs: { url: string; size_bytes: number }[] };
  const picture = await fetch(outputs[0]!.url);
  expect((await picture.arrayBuffer()).byteLength).toBe(outputs[0]!.size_bytes);
});

test("F16: with a bucket, what is too large comes as links at once", async () => {
  const { server } = await startWorker({ take: [handsOut(await noiseJob("job-1", 11))] }, await startBucket());
  const { body } = await resultOf(server);
  expect(body).toEqual({
    output: { id: "job-1", status: "succeeded", outputs: [expect.objectContaining({ url: expect.any(String) })] },
  });
});
