import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Clock, systemClock } from "../lib/clock.ts";
import { type Environment, SettingError } from "../lib/env.ts";
import { messageOf } from "../lib/errors.ts";
import { FolderLock } from "../lib/folder-lock.ts";
import { mallocSettings } from "../lib/malloc-settings.ts";
import { stopMarginMs } from "../lib/stop-steps.ts";
import { Child, type ChildState, type Launched } from "./child.ts";
import { logPath, portSettings, type ServiceName, type SuiteConfig } from "./config.ts";
import { LogFile } from "./logs.ts";
import { checkPortsAreFree, type KeptPort, keptPort, reachableHost } from "./ports.ts";
import { PrivateRedis, redisServerOnPath } from "./redis.ts";
import { defaultRestartPolicy, type RestartPolicy } from "./restart-policy.ts";
import { RunRecord } from "./run-record.ts";
import { launchService } from "./service-process.ts";

/** Time beyond the drain's for a service to end before it is killed. */
const killMarginMs = stopMarginMs + 1_000;
const redisStopTimeoutMs = 10_000;
const startTimeoutMs = 30_000;
const logTrimIntervalMs = 30_000;

/** Everything that the suite runs. */
export type MemberName = ServiceName | "redis";

/** Where each service answers, "host:port"; the Redis as a URL. */
export type Addresses = Readonly<Record<MemberName, string>>;

export interface SuiteOptions {
  /** Hears of every change of a member's state. */
  readonly onChange?: (name: MemberName, state: ChildState) => void;
  /** Hears of a member that has served and is now given up; the rest goes on until `stop`. */
  readonly onFailure?: (name: MemberName, failure: Extract<ChildState, { kind: "failed" }>) => void;
  /** Hears of what `start` waits for before it launches anything. */
  readonly onWaiting?: (reason: string) => void;
  /** Hears of what is wrong but stops nothing, such as a full disk. */
  readonly onTrouble?: (reason: string) => void;
  /** The program of each service; default: the compiled ones of this checkout. */
  readonly programs?: Readonly<Record<ServiceName, string>>;
  readonly policy?: RestartPolicy;
  readonly clock?: Clock;
}

const builtPrograms = (() => {
  const root = dirname(fileURLToPath(import.meta.resolve("#package.json")));
  const program = (name: ServiceName) => join(root, "dist", "services", name, "main.js");
  return {
    registry: program("registry"),
    trainer: program("trainer"),
    inference: program("inference"),
    gateway: program("gateway"),
  };
})();

/**
 * The four services and their Redis as separate processes of this machine, kept running from `start` to `stop`.
 *
 * ```ts
 * const suite = new Suite(suiteConfig({ ...process.env, AMAAS_DATA_DIR: folder, AMAAS_GATEWAY_PORT: "0" }));
 * const { gateway } = await suite.start();
 * try {
 *   await callsAt(gateway);
 * } finally {
 *   await suite.stop();
 * }
 * ```
 */
export class Suite {
  readonly #config: SuiteConfig;
  readonly #options: SuiteOptions;
  readonly #clock: Clock;
  readonly #lock: FolderLock;
  readonly #record: RunRecord;
  readonly #children = new Map<MemberName, Child>();
  readonly #logs: LogFile[] = [];
  /** Ports that were 0 become what the first run got, so that a restarted service is found where it was. */
  readonly #ports: Record<ServiceName, number>;
  #gatewayPort: KeptPort | null = null;
  #redis: PrivateRedis | null = null;
  #redisUrl: string;
  #endTrimming: () => void = () => undefined;
  #serving = false;
  /** Whether the record on disk is this run's; until then it is that of the run before, or of whoever holds the lock. */
  #ownsRecord = false;
  readonly #stopping = new AbortController();
  #stopped: Promise<void> | null = null;

  constructor(config: SuiteConfig, options: SuiteOptions = {}) {
    this.#config = config;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#lock = new FolderLock({
      folder: config.dataFolder,
      holder: "supervisor",
      wayOut: "set AMAAS_DATA_DIR to another folder",
    });
    this.#record = new RunRecord(config.dataFolder);
    this.#ports = { ...config.ports };
    this.#redisUrl = config.redisUrl;
  }

  /**
   * Settles once every service answers. Rejects, with everything stopped again, where one cannot start: a `SettingError`, a
   * `FolderTaken`, a `ChildFailed` or the cause itself. Call it once.
   */
  start(): Promise<Addresses> {
    return this.#start().catch(async (failure: unknown) => {
      await this.stop();
      throw failure;
    });
  }

  /** Drains and ends everything, the door first and the stores last. May be called at any time and again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Ends every process at once; `stop` then settles soon. */
  kill(): void {
    for (const child of this.#children.values()) child.kill();
  }

  async #start(): Promise<Addresses> {
    const { dataFolder, drainTimeoutMs } = this.#config;
    this.#lock.acquire();
    mkdirSync(join(dataFolder, "logs"), { recursive: true });
    const tell = (names: readonly string[]) =>
      this.#options.onWaiting?.(`waiting for ${names.join(", ")} of an earlier run to end`);
    await this.#record.endLeftovers(drainTimeoutMs + killMarginMs, tell, this.#stopping.signal);
    this.#ownsRecord = true;
    await checkPortsAreFree(this.#config);
    this.#stopping.signal.throwIfAborted();
    this.#trimLogs();
    if (this.#ports.gateway === 0) await this.#chooseGatewayPort();
    if (this.#redisUrl === "") this.#redisUrl = await this.#startRedis();
    const registry = await this.#startService("registry");
    const pendingTrainer = this.#startService("trainer");
    // The gateway needs the trainer's address: known beforehand, unless the system chooses the port.
    const mayStartGateway = this.#ports.trainer === 0 ? pendingTrainer : Promise.resolve();
    const [trainer, inference, gateway] = await Promise.all([
      pendingTrainer,
      this.#startService("inference"),
      mayStartGateway.then(() => this.#gatewayPort?.letGo()).then(() => this.#startService("gateway")),
    ]);
    this.#serving = true;
    return { registry, trainer, inference, gateway, redis: this.#redisUrl };
  }

  async #stop(): Promise<void> {
    const failures: unknown[] = [];
    this.#stopping.abort(new Error("stopped while starting"));
    this.#endTrimming();
    const steps: (() => Promise<unknown>)[] = [
      () => this.#stopChildren("gateway"),
      () => this.#stopChildren("inference", "trainer"),
      () => this.#stopChildren("registry"),
      () => this.#stopChildren("redis"),
      async () => this.#gatewayPort?.letGo(),
      async () => this.#redis?.clean(),
      async () => this.#ownsRecord && this.#record.remove(),
      async () => this.#lock.release(),
    ];
    for (const step of steps) {
      await step().catch((failure: unknown) => failures.push(failure));
    }
    if (failures.length > 0) throw new AggregateError(failures, "the suite left something behind");
  }

  /** The trainer asks the gateway, which needs the trainer's address: whichever starts first has to know where the other one will be. */
  async #chooseGatewayPort(): Promise<void> {
    this.#gatewayPort = await keptPort(this.#config.host, "gateway");
    this.#ports.gateway = this.#gatewayPort.port;
  }

  async #stopChildren(...names: MemberName[]): Promise<void> {
    await Promise.all(names.map((name) => this.#children.get(name)?.stop()));
  }

  async #startRedis(): Promise<string> {
    const server = this.#config.redisServer || redisServerOnPath(this.#config.env.PATH ?? "");
    if (server === null) {
      const needed = "the path of redis-server or valkey-server (none is on the PATH); or set AMAAS_REDIS_URL";
      throw new SettingError("AMAAS_REDIS_SERVER", "", needed);
    }
    const redis = new PrivateRedis(server, this.#config.dataFolder, this.#log("redis"));
    this.#redis = redis;
    return this.#startChild("redis", server, redisStopTimeoutMs, () => redis.launch());
  }

  async #startService(name: ServiceName): Promise<string> {
    const { host, drainTimeoutMs } = this.#config;
    const program = (this.#options.programs ?? builtPrograms)[name];
    const log = this.#log(name);
    const launch = () => launchService({ program, log, env: this.#envOf(name), host: reachableHost(host) });
    const address = await this.#startChild(name, program, drainTimeoutMs + killMarginMs, launch);
    this.#ports[name] = Number(address.slice(address.lastIndexOf(":") + 1));
    return address;
  }

  #startChild(
    name: MemberName,
    program: string,
    stopTimeoutMs: number,
    launch: () => Promise<Launched>,
  ): Promise<string> {
    this.#stopping.signal.throwIfAborted();
    const child = new Child({
      name,
      launch,
      policy: this.#options.policy ?? defaultRestartPolicy,
      clock: this.#clock,
      random: Math.random,
      startTimeoutMs,
      stopTimeoutMs,
      onChange: (state) => this.#changed(name, program, state),
    });
    this.#children.set(name, child);
    return child.start();
  }

  #changed(name: MemberName, program: string, state: ChildState): void {
    if (state.kind === "starting") this.#noteRun(name, name === "redis" ? null : { pid: state.pid, program });
    this.#options.onChange?.(name, state);
    if (state.kind === "failed" && this.#serving) this.#options.onFailure?.(name, state);
  }

  /** The record serves the next run only: this one goes on without it, and each further start tries again. */
  #noteRun(name: MemberName, process: Parameters<RunRecord["note"]>[1]): void {
    try {
      this.#record.note(name, process);
    } catch (failure) {
      this.#options.onTrouble?.(`can't note that ${name} runs: ${messageOf(failure)}`);
    }
  }

  #envOf(name: ServiceName): Environment {
    const { env, dataFolder, host, drainTimeoutMs } = this.#config;
    const addressOf = (service: ServiceName) => `${reachableHost(host)}:${this.#ports[service]}`;
    return {
      ...(name === "inference" && mallocSettings),
      ...env,
      AMAAS_DATA_DIR: dataFolder,
      AMAAS_HOST: host,
      AMAAS_DRAIN_TIMEOUT_MS: String(drainTimeoutMs),
      AMAAS_REDIS_URL: this.#redisUrl,
      AMAAS_REGISTRY_ADDRESS: addressOf("registry"),
      AMAAS_TRAINER_ADDRESS: addressOf("trainer"),
      AMAAS_GATEWAY_ADDRESS: addressOf("gateway"),
      [portSettings[name].variable]: String(this.#ports[name]),
    };
  }

  #log(name: MemberName): LogFile {
    const log = new LogFile(logPath(this.#config, name), this.#config.logFileBytesMax);
    this.#logs.push(log);
    return log;
  }

  #trimLogs(): void {
    for (const log of this.#logs) log.trim();
    this.#endTrimming = this.#clock.after(logTrimIntervalMs, () => this.#trimLogs());
  }
}
