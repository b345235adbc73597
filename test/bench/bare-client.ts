/** The least that a ComfyUI client can do: POST the graph, wait on a websocket, GET the file. Nothing is checked. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { WebSocket } from "ws";
import type { Graph } from "../../runtime/comfyui/graph.ts";
import type { Sample } from "./overhead.ts";

interface Message {
  type: string;
  data: {
    prompt_id?: string;
    node?: string | null;
    timestamp?: number;
    output?: { images?: Record<string, string>[] };
  };
}

export async function openBareClient(engineUrl: string) {
  const clientId = randomUUID();
  const socket = new WebSocket(`${engineUrl.replace(/^http/, "ws")}/ws?clientId=${clientId}`, {
    perMessageDeflate: false,
  });
  await once(socket, "open");

  return {
    async run(graph: Graph): Promise<Sample> {
      const startedAt = performance.now();
      const finished = finishedPrompt(socket);
      const response = await fetch(`${engineUrl}/prompt`, {
        method: "POST",
        body: JSON.stringify({ prompt: graph, client_id: clientId }),
      });
      await response.arrayBuffer();
      const { image, engineMs } = await finished;
      const picture = await fetch(`${engineUrl}/view?${new URLSearchParams(image)}`);
      await picture.arrayBuffer();
      return { wallMs: performance.now() - startedAt, engineMs };
    },
    close: () => socket.close(),
  };
}

/** The file of the one prompt that runs, and the time from ComfyUI's start of it to the message that it is done. */
function finishedPrompt(socket: WebSocket): Promise<{ image: Record<string, string>; engineMs: number }> {
  return new Promise((resolve) => {
    let image: Record<string, string> = {};
    let startedAt = 0;
    const onMessage = (text: Buffer, isBinary: boolean) => {
      if (isBinary) return;
      const { type, data } = JSON.parse(text.toString()) as Message;
      if (type === "execution_start") startedAt = data.timestamp!;
      if (type === "executed") image = data.output!.images![0]!;
      if (type !== "executing" || data.node !== null) return;
      socket.off("message", onMessage);
      resolve({ image, engineMs: Date.now() - startedAt });
    };
    socket.on("message", onMessage);
  });
}
