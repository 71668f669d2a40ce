import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { TrainerServiceDefinition } from "../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { fileOf } from "../repository.ts";

const program = fileOf("dist/supervisor/main.js");

/** A process of the suite, and where it answers. */
export interface Member {
  readonly pid: number;
  readonly address: string;
}

/** What `npm start` starts, on a folder and ports of its own, and clients of its gateway. */
export class RunningSuite {
  readonly members = new Map<string, Member>();
  #folder = "";
  #output = "";
  #process: ChildProcess | undefined;
  #clients: { close(): void }[] = [];
  registry!: RpcClient<RegistryServiceDefinition>;
  trainer!: RpcClient<TrainerServiceDefinition>;
  inference!: RpcClient<GRPCInferenceServiceDefinition>;

  /** The data directory. */
  get folder(): string {
    return this.#folder;
  }

  /** Everything that the supervisor has written. */
  get output(): string {
    return this.#output;
  }

  get gateway(): string {
    return this.members.get("gateway")!.address;
  }

  /** Starts on a new folder, or again on the same one; settles once everything answers. */
  async start(env: Record<string, string> = {}): Promise<void> {
    this.#folder ||= await mkdtemp(join(tmpdir(), "amaas-suite-"));
    const { PATH, AMAAS_REDIS_SERVER } = process.env;
    const ports = {
      AMAAS_REGISTRY_PORT: "0",
      AMAAS_TRAINER_PORT: "0",
      AMAAS_INFERENCE_PORT: "0",
      AMAAS_INFERENCE_METRICS_PORT: "0",
      AMAAS_GATEWAY_METRICS_PORT: "0",
      AMAAS_GATEWAY_PORT: "0",
      AMAAS_GATEWAY_HTTP_PORT: "0",
    };
    this.#process = spawn(process.execPath, [program], {
      env: { PATH, AMAAS_REDIS_SERVER, AMAAS_DATA_DIR: this.#folder, ...ports, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process.stderr!.on("data", (text) => {
      this.#output += text;
    });
    await this.#ready();
    this.registry = new RpcClient("amaas.registry.v1.RegistryService", this.gateway);
    this.trainer = new RpcClient("amaas.trainer.v1.TrainerService", this.gateway);
    this.inference = new RpcClient("inference.GRPCInferenceService", this.gateway);
    this.#clients = [this.registry, this.trainer, this.inference];
  }

  /** Kills every process at once, the supervisor first, so that none can react. */
  async killAll(): Promise<void> {
    this.#disconnect();
    const supervisor = this.#process!;
    supervisor.kill("SIGKILL");
    for (const { pid } of this.members.values()) process.kill(pid, "SIGKILL");
    if (supervisor.exitCode === null && supervisor.signalCode === null) await once(supervisor, "exit");
  }

  /** Kills one member; the supervisor starts it again. */
  kill(name: string): void {
    process.kill(this.members.get(name)!.pid, "SIGKILL");
  }

  /** Kills one member and keeps it dead during an action: the supervisor stands still meanwhile, and starts it again then. */
  async withDead(name: string, action: () => Promise<void>): Promise<void> {
    const supervisor = this.#process!;
    supervisor.kill("SIGSTOP");
    try {
      this.kill(name);
      await action();
    } finally {
      supervisor.kill("SIGCONT");
    }
  }

  /** Ends it as Ctrl-C does; answers the exit code. */
  async stop(): Promise<number | null> {
    this.#disconnect();
    const supervisor = this.#process;
    if (supervisor === undefined || supervisor.exitCode !== null || supervisor.signalCode !== null) return null;
    supervisor.kill("SIGTERM");
    const [exitCode] = await once(supervisor, "exit");
    return exitCode;
  }

  /** Stops it and removes the folder. */
  async remove(): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #disconnect(): void {
    for (const client of this.#clients.splice(0)) client.close();
  }

  /** Follows the status lines until the one that says that all is ready. */
  #ready(): Promise<void> {
    let pending = "";
    return new Promise((resolve, reject) => {
      this.#process!.once("exit", (code) =>
        reject(new Error(`the suite ended with exit code ${code}:\n${this.#output}`)),
      );
      this.#process!.stdout!.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
        pending += text;
        for (let end = pending.indexOf("\n"); end >= 0; end = pending.indexOf("\n")) {
          const line = pending.slice(0, end);
          pending = pending.slice(end + 1);
          const [, name, address, pid] = /^(\w+) +running +(\S+) +process (\d+)/.exec(line) ?? [];
          if (name !== undefined) this.members.set(name, { address, pid: Number(pid) });
          if (line.startsWith("amaas is ready")) resolve();
        }
      });
    });
  }
}
