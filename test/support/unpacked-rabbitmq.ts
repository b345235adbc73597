/**
 * For vitest's `globalSetup`: has RabbitMQ unpacked before several test files want it at once, which apt-get does not bear. Where it cannot be
 * had its tests fail, and no others.
 */
import { installRabbitMq } from "../engine/rabbitmq.ts";

export default async function setup(): Promise<void> {
  try {
    process.env["RABBITMQ_ROOT"] = await installRabbitMq();
  } catch (error) {
    process.env["RABBITMQ_MISSING"] = (error as Error).message;
  }
}
