/** RabbitMQ for every test that needs it, before the first of them: where it cannot be had they fail, and are not left out. */
import type { TestProject } from "vitest/node";
import { installRabbitMq } from "./broker.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The folder with RabbitMQ, for `startBroker`. */
    rabbitmq: string;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  const root = await installRabbitMq().catch((error) => {
    throw new Error("RabbitMQ cannot be had; its packages come by Debian's apt-get", { cause: error });
  });
  project.provide("rabbitmq", root);
}
