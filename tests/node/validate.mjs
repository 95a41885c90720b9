// node validate.mjs SCHEMAS: judges the messages on standard input, one a line; prints `null` or the errors of each.
import { createInterface } from "node:readline";
import { validators } from "./schemas.mjs";

const valid = validators(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  const validate = valid[message.type];
  const accepted = validate !== undefined && validate(message);
  console.log(JSON.stringify(accepted ? null : (validate?.errors ?? "no schema of this type")));
}
