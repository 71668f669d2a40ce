import { extname } from "node:path";
import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Starts the module at `url`, given without its extension, as a thread. The extension is this file's own: `.js` once
 * built; `.ts` in the sources, where a new thread does not inherit the loader of its parent and has to register it.
 */
export function startThread(url: URL, options: WorkerOptions): Worker {
  const extension = extname(import.meta.url);
  const entry = `${url.href}${extension}`;
  if (extension !== ".ts") return new Worker(new URL(entry), options);
  const loader = import.meta.resolve("tsx/esm/api");
  const script = `import(${JSON.stringify(loader)}).then(({ register }) => (register(), import(${JSON.stringify(entry)})))`;
  return new Worker(script, { ...options, eval: true });
}
