// The published JSON Schemas, compiled: what a producer in another language checks its messages with.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

/** Validators by the CloudEvents type of the message, for example `llamalog.entity-created.v1`. */
export function validators(folder) {
  const ajv = new Ajv({ strict: true, strictRequired: false, allErrors: true });
  addFormats(ajv);
  ajv.addVocabulary(["discriminator"]); // OpenAPI's, for generators of code: irrelevant to validity
  return Object.fromEntries(
    readdirSync(folder)
      .filter((file) => file.endsWith(".json"))
      .map((file) => {
        const schema = JSON.parse(readFileSync(join(folder, file), "utf8"));
        return [`llamalog.${file.replace(/\.json$/, "")}`, ajv.compile(schema)];
      }),
  );
}
