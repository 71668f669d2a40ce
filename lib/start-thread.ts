import { createRequire } from "node:module";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Starts the module at `url`, given without its extension, as a thread. The extension is this file's own: `.js` once
 * built; `.ts` in the sources, where a new thread does not inherit the loader of its parent and has to register it.
 */
export function startThread(url: URL, options: WorkerOptions): Worker {
  const extension = extname(import.meta.url);
  const entry = `${url.href}${extension}`;
  if (extension !== ".ts") return new Worker(new URL(entry), options);
  // Only the ES module of the loader works in a thread; it stands beside the CommonJS one that can be resolved here.
  const commonJs = createRequire(import.meta.url).resolve("tsx/esm/api");
  const loader = pathToFileURL(commonJs.replace(/\.cjs$/, ".mjs")).href;
  const script = `import("${loader}").then(({ register }) => (register(), import("${entry}")))`;
  return new Worker(script, { ...options, eval: true });
}
