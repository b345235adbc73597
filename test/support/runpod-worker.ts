/** The product as a worker of a job server of ours. */
import { type RunningEndpoint, startEndpoint } from "./endpoint.ts";
import { type JobServer, type Result, type Script, startJobServer } from "./job-server.ts";
import { colourGraph, quickTxt2Img } from "./payloads.ts";

export async function startWorker(
  script: Script = {},
  settings: Record<string, string> = {},
): Promise<{ server: JobServer; endpoint: RunningEndpoint }> {
  const server = await startJobServer(script);
  return { server, endpoint: await startEndpoint({ ...server.environment, ...settings }) };
}

export const quickJob = (id: string, fields: Record<string, unknown> = {}) => ({
  id,
  input: { prompt: colourGraph(0x123456) },
  ...fields,
});

/** A hundred steps take about a second. */
export const slowJob = (id: string, steps: number) => ({ id, input: quickTxt2Img({ steps }) });

/** Resolves when the worker has delivered so many results. */
export async function resultsOf(server: JobServer, count: number): Promise<Result[]> {
  await server.called("done", () => server.results().length >= count);
  return server.results();
}

/** Resolves with the first result. */
export const resultOf = async (server: JobServer) => (await resultsOf(server, 1))[0]!;
