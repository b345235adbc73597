/** For vitest's `globalSetup`: has RabbitMQ unpacked before several test files want it at once, which apt-get does not bear. */
import { installRabbitMq } from "../engine/rabbitmq.ts";

export default async function setup(): Promise<void> {
  try {
    process.env["RABBITMQ_ROOT"] = await installRabbitMq();
  } catch (error) {
    console.warn(`SKIPPED: there is no RabbitMQ for the tests of its worker: ${(error as Error).message}`);
  }
}
