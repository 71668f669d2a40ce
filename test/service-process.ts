import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { programArgs, root } from "./repository.ts";

/** A service as a process of its own, to be killed. */
export interface ServiceProcess {
  readonly address: string;
  readonly port: number;
  /** The process's id. */
  readonly pid: number;
  /** SIGKILL; settles when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; answers the exit code. */
  stop(): Promise<number | null>;
}

/**
 * Starts one on a folder, with settings by the names of their variables; rejects with what it wrote on standard error where it ends
 * instead of listening.
 */
export async function spawnService(
  name: "registry" | "inference" | "gateway" | "trainer",
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, programArgs(`services/${name}/main`), {
    cwd: root,
    env: { ...process.env, AMAAS_DATA_DIR: dataDir, AMAAS_LOG_LEVEL: "silent", ...settings },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const exited = once(child, "exit") as Promise<[number | null]>;
  const port = await listeningPort(child, exited);
  return {
    address: `127.0.0.1:${port}`,
    port,
    pid: child.pid!,
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
    stop: async () => {
      child.kill("SIGTERM");
      return (await exited)[0];
    },
  };
}

async function listeningPort(child: ChildProcess, exited: Promise<[number | null]>): Promise<number> {
  let complaint = "";
  child.stderr?.on("data", (text) => {
    complaint += text;
  });
  const listening = once(child, "message").then(([message]) => (message as { port: number }).port);
  const failed = exited.then(([code]) => Promise.reject(new Error(`exit code ${code}: ${complaint}`)));
  failed.catch(() => undefined);
  return Promise.race([listening, failed]);
}
