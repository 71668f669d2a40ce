import { readFile } from "node:fs/promises";
import type { ModelFiles, ModelPaths } from "../catalogue.ts";

/** The files of a version, read. */
export async function filesAt({ model, files }: ModelPaths): Promise<ModelFiles> {
  const read = await Promise.all([...files].map(async ([location, path]) => [location, await readFile(path)] as const));
  return { model: await readFile(model), files: new Map<string, Uint8Array>(read) };
}
