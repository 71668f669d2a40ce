import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** The version of the suite, from its package.json. */
export function suiteVersion(): string {
  const path = createRequire(import.meta.url).resolve("#package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { readonly version: string }).version;
}
