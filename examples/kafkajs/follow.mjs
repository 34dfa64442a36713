// SPDX-License-Identifier: Apache-2.0
// Prints what one screen shall show, a JSON line for each record of signage.content.v1.
//
//   node follow.mjs BROKER SCREEN [--count N]
import { randomUUID } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";

const [broker, screen, flag, number] = process.argv.slice(2);
if (!broker || !screen || (flag && flag !== "--count")) {
  console.error("usage: node follow.mjs BROKER SCREEN [--count N]");
  process.exit(2);
}
let left = flag ? Number(number) : Infinity;

const kafka = new Kafka({ clientId: "follow", brokers: [broker], logLevel: logLevel.ERROR });
// Every follower reads all of it, so each is a group of its own.
const consumer = kafka.consumer({ groupId: `follow-${randomUUID()}` });

const text = (value) => value?.toString("utf8") ?? null;

await consumer.connect();
// The topic is compacted: from the beginning means the newest content of each screen, and then on.
await consumer.subscribe({ topic: "signage.content.v1", fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ message }) => {
    if (text(message.key) !== screen || left <= 0) return;
    const headers = Object.fromEntries(
      Object.entries(message.headers).map(([name, value]) => [name, text(value)]),
    );
    // No value means that the screen's content was deleted.
    const value = message.value && JSON.parse(text(message.value));
    console.log(JSON.stringify({ key: text(message.key), headers, value }));
    if (--left === 0) setImmediate(stop);
  },
});

async function stop() {
  await consumer.disconnect();
  process.exit(0);
}
process.once("SIGINT", stop);
process.once("SIGTERM", stop);
