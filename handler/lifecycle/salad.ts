/** Salad's deletion cost: of several instances, the one with the least work is removed first. */

import { Announcement } from "./announcement.ts";
import type { Hook } from "./hook.ts";

const METADATA = "http://169.254.169.254";

/** The cost is the number of invocations in flight, those that wait included. */
export const tellDeletionCost: Hook = ({ endpoint, config, log }) => {
  const { SALAD_CONTAINER_GROUP_ID: group, SALAD_METADATA_URL: metadata = METADATA } = config.environment;
  if (!group) return undefined;
  const cost = new Announcement<number>({
    send: async (inFlight, signal) => {
      const response = await fetch(`${metadata}/v1/deletion-cost`, {
        method: "PUT",
        headers: { metadata: "true", "content-type": "application/json" },
        body: JSON.stringify({ deletion_cost: inFlight }),
        signal,
      });
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    },
    onFailure: (error) =>
      log.warn({ err: error }, "Salad's metadata service does not take the deletion cost; trying again"),
  });
  const ended = endpoint.onLoad((inFlight) => cost.set(inFlight));
  return () => {
    ended();
    cost.stop();
  };
};
