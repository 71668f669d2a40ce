import { existsSync, readdirSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Scenarios } from "./scenario.ts";

const extension = extname(import.meta.url);

/** The modules of all benches in a folder by name: `NAME/main` or `NAME`, besides the folder's own main. */
export function benchesIn(folder: URL): ReadonlyMap<string, URL> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const found = entries.flatMap((entry): [string, URL][] => {
    if (entry.isDirectory()) {
      const main = new URL(`${entry.name}/main${extension}`, folder);
      return existsSync(fileURLToPath(main)) ? [[entry.name, main]] : [];
    }
    const name = entry.name.slice(0, -extension.length);
    return entry.name === `${name}${extension}` && name !== "main" ? [[name, new URL(entry.name, folder)]] : [];
  });
  return new Map(found);
}

export async function scenariosOf(module: URL): Promise<Scenarios> {
  const { scenarios } = (await import(module.href)) as { readonly scenarios: Scenarios };
  return scenarios;
}
