/** The HTTP face: what it answers is in `routes.ts`. */
import type { Adapter } from "../adapter.ts";
import { listen } from "./listen.ts";
import { workRoutes } from "./routes.ts";

/** Listens at once, also while the engine starts: health is answered, and work waits. */
export const http: Adapter = {
  async start(context) {
    return listen(workRoutes(context), context.config, context.log);
  },
};
