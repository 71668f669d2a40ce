import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/**
 * Starts the module at `url`, given without its extension, as a process with an IPC channel. The extension is this file's own:
 * `.js` once built; `.ts` in the sources, where it needs a loader.
 */
export function startProcess(
  url: URL,
  args: readonly string[],
  options: Omit<ForkOptions, "execArgv"> & { readonly execArgv: readonly string[] },
): ChildProcess {
  const extension = extname(import.meta.url);
  const loader =
    extension === ".ts" ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [];
  return fork(`${fileURLToPath(url)}${extension}`, args, { ...options, execArgv: [...loader, ...options.execArgv] });
}
