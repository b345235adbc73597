/**
 * For vitest's `globalSetup`: has RabbitMQ unpacked before several test files want it at once, which apt-get does not bear. Where it cannot be
 * had its tests fail, and are not left out.
 */
import { installRabbitMq } from "../engine/rabbitmq.ts";

export default async function setup(): Promise<void> {
  process.env["RABBITMQ_ROOT"] = await installRabbitMq().catch((cause) => {
    throw new Error("there is no RabbitMQ for the tests of its worker; its packages come by Debian's apt-get", {
      cause,
    });
  });
}
