// node queue.mjs: a queue as BullMQ keeps one. Reads jobs on standard input, one `{"name", "data"}` a line; keeps each as
// a hash of texts, as Redis would, with its data as `JSON.stringify` writes them; takes it out again as a worker does, and
// prints what that would put into the queue of the next job, and the job as it was kept.
import { createInterface } from "node:readline";

let count = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const { name, data } = JSON.parse(line);
  const id = String(++count);
  const kept = { name, data: JSON.stringify(data), opts: JSON.stringify({ attempts: 3, jobId: id }), timestamp: "1770719400123" };
  const job = { id, name: kept.name, data: JSON.parse(kept.data) };
  const next = { ...job.data, requestId: undefined, parentJobId: job.id, rootJobId: job.data.rootJobId ?? job.data.parentJobId ?? job.id };
  console.log(JSON.stringify({ kept, next: JSON.stringify(next) }));
}
