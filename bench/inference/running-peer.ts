import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as passed } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { freePort } from "../harness/free-port.ts";
import type { PythonPackages } from "../harness/python.ts";
import type { Workplace } from "../harness/scenario.ts";

const root = new URL("./", import.meta.resolve("#package.json"));
const pathOf = (path: string) => fileURLToPath(new URL(path, root));
const programs = pathOf("bench/inference/peer/");
const startMsMax = 60_000;
const pollMs = 50;

/** The model that peers serve, as `peer`. */
export const peerModel = "peer";

/** A server of other people, as a process of its own. */
export interface RunningPeer {
  readonly pid: number;
  readonly port: number;
}

/** Starts MLServer with a model. */
export async function startMlServer(place: Workplace, packages: PythonPackages, model: string): Promise<RunningPeer> {
  await packages.install(join(programs, "mlserver.txt"));
  const folder = join(place.folder, "mlserver");
  await mkdir(folder);
  await cp(join(programs, "mlserver_model.py"), join(folder, "mlserver_model.py"));
  const [port, http] = [await freePort(), await freePort()];
  // What only costs time is off: a log line per call, and metrics.
  const settings = { host: "127.0.0.1", http_port: http, grpc_port: port, debug: false, metrics_endpoint: null };
  // With one or two processes for models it answered fewer calls, and joining requests changed nothing beyond the noise.
  const ofServer = { ...settings, parallel_workers: 0 };
  const ofModel = { name: peerModel, implementation: "mlserver_model.OnnxModel", parameters: { uri: model } };
  await writeFile(join(folder, "settings.json"), JSON.stringify(ofServer));
  await writeFile(join(folder, "model-settings.json"), JSON.stringify(ofModel));
  return started(place, { name: "mlserver", program: packages.program("mlserver"), args: ["start", folder], port });
}

/** Starts the least that serves a model from Python. */
export async function startPlainServer(
  place: Workplace,
  packages: PythonPackages,
  model: string,
): Promise<RunningPeer> {
  await packages.install(join(programs, "requirements.txt"));
  const port = await freePort();
  const args = [join(programs, "plain_server.py"), pathOf("protos/baseline.binpb"), model, String(port)];
  return started(place, { name: "plain-server", program: packages.program("python"), args, port });
}

interface Start {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly port: number;
}

/** Settles once the peer takes requests; its log lies in the scenario's folder. */
async function started(place: Workplace, { name, program, args, port }: Start): Promise<RunningPeer> {
  const log = join(place.folder, `${name}.log`);
  const output = openSync(log, "a");
  const child = spawn(program, args, { cwd: place.folder, env: place.env, stdio: ["ignore", output, output] });
  place.atEnd(() => ended(child));
  const failed = once(child, "exit").then(async ([code, signal]) => {
    throw new Error(`${name} ended with ${code ?? signal}: ${(await readFile(log, "utf8")).slice(-logCharsMax)}`);
  });
  // It ends after the scenario too.
  failed.catch(() => undefined);
  await Promise.race([untilReady(name, port), failed]);
  return { pid: child.pid!, port };
}

const logCharsMax = 2000;

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

async function untilReady(name: string, port: number): Promise<void> {
  const client = new RpcClient<GRPCInferenceServiceDefinition>("inference.GRPCInferenceService", `127.0.0.1:${port}`);
  const endMs = performance.now() + startMsMax;
  try {
    while (performance.now() < endMs) {
      // Refused connections are what is waited through.
      const { ready } = await client.unary("ModelReady", { name: peerModel }).catch(() => ({ ready: false }));
      if (ready) return;
      await passed(pollMs);
    }
    throw new Error(`${name} does not serve ${peerModel} after ${startMsMax} ms`);
  } finally {
    client.close();
  }
}
