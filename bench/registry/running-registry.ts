import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Workplace } from "../harness/scenario.ts";

/** A registry as a process of its own, with its embedded database and the settings that it has for everybody. */
export interface RunningRegistry {
  readonly port: number;
  readonly address: string;
  readonly pid: number;
}

/** Starts one in the scenario's folder; its log lies beside its data. */
export async function startRegistry({ folder, env, atEnd }: Workplace): Promise<RunningRegistry> {
  const main = fileURLToPath(new URL(`../../services/registry/main${extname(import.meta.url)}`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, main], {
    env: { ...env, AMAAS_DATA_DIR: join(folder, "registry"), AMAAS_REGISTRY_PORT: "0", AMAAS_DATABASE_URL: "" },
    stdio: ["ignore", openSync(join(folder, "registry.log"), "a"), "inherit", "ipc"],
  });
  const exited = once(child, "exit");
  atEnd(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  const listening = once(child, "message").then(([message]) => (message as { readonly port: number }).port);
  const ended = exited.then(([code]) => Promise.reject(new Error(`the registry ended with ${code}`)));
  // It ends after the scenario too.
  ended.catch(() => undefined);
  const port = await Promise.race([listening, ended]);
  return { port, address: `127.0.0.1:${port}`, pid: child.pid! };
}
