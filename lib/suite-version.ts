import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The version of the suite, from its package.json. */
export function suiteVersion(): string {
  const path = fileURLToPath(import.meta.resolve("#package.json"));
  return (JSON.parse(readFileSync(path, "utf8")) as { readonly version: string }).version;
}
