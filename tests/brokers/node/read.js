// Reads a topic with kafkajs and prints a line for each record: "OFFSET PARTITION TIMESTAMP KEY VALUE [NAME VALUE]...",
// where bytes are "=" and hexadecimal digits, and "-" is null. kafkajs keeps no order among headers of different names.
//
// Usage: node read.js SERVERS TOPIC
const { Kafka, logLevel } = require("kafkajs");

const word = (bytes) => (bytes === null ? "-" : "=" + Buffer.from(bytes).toString("hex"));

function line(partition, message) {
  const words = [message.offset, partition, message.timestamp, word(message.key), word(message.value)];
  for (const [name, values] of Object.entries(message.headers)) {
    for (const value of Array.isArray(values) ? values : [values]) {
      words.push(word(name), word(value));
    }
  }
  return words.join(" ");
}

async function read(servers, topic) {
  const kafka = new Kafka({ brokers: servers.split(","), logLevel: logLevel.ERROR });
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const left = new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
  const consumer = kafka.consumer({ groupId: "kafkajs", minBytes: 1, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    const eachMessage = async ({ partition, message }) => {
      console.log(line(partition, message));
      left.set(partition, left.get(partition) - 1);
      if ([...left.values()].every((count) => count <= 0)) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
}

const [servers, topic] = process.argv.slice(2);
read(servers, topic).catch((error) => {
  console.error(error);
  process.exit(1);
});
