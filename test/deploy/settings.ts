import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../repository.ts";

/**
 * The names of the settings that the services read, from their own sources.
 *
 * A name stands there whole, or as a template such as `AMAAS_GATEWAY_${name}` that the words quoted in the same file fill.
 */
export function settingNames(): Set<string> {
  const names = new Set<string>();
  for (const folder of ["lib", "services", "supervisor"]) {
    for (const text of programsIn(join(root, folder))) {
      for (const [name] of text.matchAll(/\bAMAAS_[A-Z0-9]+(?:_[A-Z0-9]+)*\b(?!_)/g)) names.add(name);
      const words = [...text.matchAll(/"([A-Z0-9_]+)"/g)].map(([, word]) => word!);
      for (const [, prefix] of text.matchAll(/`(AMAAS_[A-Z0-9_]*_)\$\{/g))
        for (const word of words) names.add(prefix! + word);
    }
  }
  return names;
}

function programsIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(".ts"));
  return files.map((file) => readFileSync(join(file.parentPath, file.name), "utf8"));
}
