// node produce.mjs SCHEMAS KAFKA TOPIC: publishes how an album came to be; prints the messages that it sent, one a line.
import { randomUUID } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";
import { validators } from "./schemas.mjs";

const [schemas, broker, topic] = process.argv.slice(2);
const [album, track, artist] = [randomUUID(), randomUUID(), randomUUID()];
const root = `album-create-${album}`;

function event(type, entityType, entityId, data) {
  return {
    specversion: "1.0",
    id: randomUUID(),
    source: "/catalogue/node",
    type: `llamalog.${type}.v1`,
    subject: `${entityType}/${entityId}`,
    time: new Date().toISOString(),
    data: { entityType, ...(entityId ? { entityId } : {}), status: "SUCCESS", ...data },
  };
}

const events = [
  event("entity-created", "ALBUM", album, {
    operation: "album:created",
    jobId: root,
    sources: ["SPOTIFY"],
    metadata: { title: "Björk – 🎶", year: 1995 },
  }),
  event("entity-enriched", "ALBUM", album, {
    operation: "enrichment:album",
    jobId: `enrich-${album}`,
    parentJobId: root,
    rootJobId: root,
    fieldsEnriched: ["label"],
    dataQualityBefore: "LOW",
    dataQualityAfter: "HIGH",
    durationMs: 12,
  }),
  event("entity-created", "TRACK", track, {
    operation: "track:created:enrichment",
    jobId: `track-${track}`,
    parentJobId: `enrich-${album}`,
    albumId: album,
  }),
  event("entity-linked", "ARTIST", artist, {
    operation: "artist:linked:enrichment",
    parentJobId: `track-${track}`,
    albumId: album,
  }),
  event("entity-cached", "ALBUM", album, { operation: "cache:album-cover-art", status: "COMPLETED" }),
  event("entity-corrected", "ALBUM", album, { operation: "admin_correction", userId: "u-1" }),
  event("entity-failed", "ARTIST", null, {
    operation: "artist:created:album",
    status: "NO_DATA_AVAILABLE",
    errorCode: "NO_ARTIST_DATA",
    parentJobId: root,
  }),
];

const valid = validators(schemas);
for (const message of events) {
  if (!valid[message.type](message)) {
    throw new Error(`${message.type}: ${JSON.stringify(valid[message.type].errors)}`);
  }
}

const producer = new Kafka({ clientId: "node", brokers: [broker], logLevel: logLevel.ERROR }).producer();
await producer.connect();
await producer.send({
  topic,
  acks: -1,
  messages: events.map((message) => ({
    key: message.data.rootJobId ?? message.data.parentJobId ?? message.data.jobId ?? message.data.entityId,
    value: JSON.stringify(message),
    headers: { "content-type": "application/cloudevents+json; charset=UTF-8" },
  })),
});
await producer.disconnect();
for (const message of events) {
  console.log(JSON.stringify(message));
}
