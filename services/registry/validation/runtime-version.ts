import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** Names the runtime that validates, with its version, without loading it. */
export function runtimeName(): string {
  const path = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
  const { name, version } = JSON.parse(readFileSync(path, "utf8")) as {
    readonly name: string;
    readonly version: string;
  };
  return `${name} ${version}`;
}
