import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the repository, also for what is compiled. */
export const root = fileURLToPath(new URL(".", import.meta.resolve("#package.json")));

/** A file of the repository. */
export function fileOf(path: string): string {
  return join(root, path);
}

const extension = extname(import.meta.url);

/** What makes a Node process understand modules like this one: as it is compiled, or in the sources. */
export const loaderArgs: readonly string[] = extension === ".ts" ? ["--import", "tsx"] : [];

/** The arguments for Node to run a program of the repository, given without its extension, in the form that this file has. */
export function programArgs(path: string): readonly string[] {
  return [...loaderArgs, fileOf(extension === ".ts" ? `${path}.ts` : `dist/${path}.js`)];
}
