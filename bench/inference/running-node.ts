import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { setTimeout as passed } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ServingSettings } from "../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { mallocSettings } from "../../lib/malloc-settings.ts";
import { artifactName, versionName } from "../../lib/resource-names.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { freePort } from "../harness/free-port.ts";
import type { Workplace } from "../harness/scenario.ts";

/** A model that a node holds. */
export interface HeldModel {
  readonly name: string;
  readonly file: Uint8Array;
  readonly settings?: ServingSettings;
}

/** How a node is started. */
export interface NodeStart {
  /** Its id, and the name of its folder. */
  readonly name: string;
  /** What it finds on its disk. */
  readonly models: readonly HeldModel[];
  /** Those of them that it loads by itself, where the others are for clients to load; all, unless said. */
  readonly loaded?: readonly string[];
}

/** An inference node as a process of its own, with the settings that it has for everybody who starts the suite. */
export interface RunningNode {
  readonly port: number;
  /** Where its metrics are served. */
  readonly metricsPort: number;
  readonly address: string;
  readonly pid: number;
  /** From the start of the process until all models were ready. */
  readonly startMs: number;
  stop(): Promise<void>;
}

/** Starts one in the scenario's folder, with the models of its last assignment on its disk; its log lies beside its data. */
export async function startNode(place: Workplace, start: NodeStart): Promise<RunningNode> {
  await writeAssignment(join(place.folder, "inference", start.name), start.models);
  const main = fileURLToPath(new URL(`../../services/inference/main${extname(import.meta.url)}`, import.meta.url));
  const metricsPort = await freePort();
  const env = {
    ...settingsOf(place, start.name),
    AMAAS_INFERENCE_METRICS_PORT: String(metricsPort),
    ...(start.loaded && {
      AMAAS_INFERENCE_MODEL_CONTROL: "explicit",
      AMAAS_INFERENCE_LOAD_MODELS: start.loaded.join(","),
    }),
  };
  const begin = performance.now();
  const child = spawn(process.execPath, [...process.execArgv, main], {
    env,
    stdio: ["ignore", openSync(join(place.folder, `${start.name}.log`), "a"), "inherit", "ipc"],
  });
  const exited = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await exited;
  };
  place.atEnd(stop);
  const listening = once(child, "message").then(([message]) => (message as { readonly port: number }).port);
  const ended = exited.then(([code]) => Promise.reject(new Error(`the node ended with ${code}`)));
  // It ends after the scenario too.
  ended.catch(() => undefined);
  const port = await Promise.race([listening, ended]);
  const address = `127.0.0.1:${port}`;
  await Promise.race([untilReady(address, start.loaded ?? start.models.map(({ name }) => name)), ended]);
  return { port, metricsPort, address, pid: child.pid!, startMs: performance.now() - begin, stop };
}

/** The environment of a node of this name in the scenario's folder. */
export function settingsOf({ env, folder }: Workplace, name: string): NodeJS.ProcessEnv {
  return {
    ...mallocSettings,
    ...env,
    AMAAS_DATA_DIR: folder,
    AMAAS_INFERENCE_PORT: "0",
    AMAAS_INFERENCE_METRICS_PORT: "0",
    AMAAS_NODE_NAME: name,
    // Nobody answers there.
    AMAAS_REGISTRY_ADDRESS: "127.0.0.1:1",
  };
}

/** Settles when the node and its models take requests. */
export async function untilReady(address: string, models: readonly string[]): Promise<void> {
  const node = new RpcClient<GRPCInferenceServiceDefinition>("inference.GRPCInferenceService", address);
  const until = async (isReady: () => Promise<{ readonly ready: boolean }>) => {
    while (!(await isReady()).ready) await passed(pollMs);
  };
  try {
    await until(() => node.unary("ServerReady", {}));
    for (const name of models) await until(() => node.unary("ModelReady", { name }));
  } finally {
    node.close();
  }
}

/** Asked more often, the node would answer for a tenth of its start. */
const pollMs = 20;

/** Makes the folder of a node that has held these models. */
export async function writeAssignment(folder: string, models: readonly HeldModel[]): Promise<void> {
  await mkdir(join(folder, "artifacts"), { recursive: true });
  const versions = models.map(({ name, file, settings = null }) => {
    const sha256 = createHash("sha256").update(file).digest("hex");
    return {
      version: versionName(name, 1),
      variant: "default",
      executionProviders: ["cpu"],
      modelFile: { artifact: artifactName(sha256), sizeBytes: file.byteLength },
      aliases: ["default"],
      settings,
      file: { path: join(folder, "artifacts", sha256), bytes: file },
    };
  });
  for (const { file } of versions) await writeFile(file.path, file.bytes);
  const assignment = { versions: versions.map(({ file: _, ...version }) => version) };
  await writeFile(join(folder, "assignment.json"), JSON.stringify(assignment));
}
