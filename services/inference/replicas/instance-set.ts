import type { Clock } from "../../../lib/clock.ts";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import type { Signature } from "../../../lib/tensor.ts";
import { type BackOff, backOffMs } from "../back-off.ts";
import { WarmUpOverdue } from "../warm-up/overdue.ts";
import type { CoreBudget } from "./core-budget.ts";
import { type Instance, SessionOverdue } from "./instance.ts";

/** How the instances of a replica are made and kept. */
export interface InstanceSettings {
  /** Threads of the runtime inside one operator, for each session of the model, of which there is one at least; 0 where they are found. */
  readonly sessionThreads: readonly number[];
  /** Loads one more instance. */
  readonly startInstance: (intraOpThreads: number) => Promise<Instance>;
  /** Waits before a lost instance is replaced. */
  readonly restart: BackOff;
  /** When so many have died within a time, in milliseconds, none is replaced any more. */
  readonly crashes: { readonly countMax: number; readonly withinMs: number };
  /** Those of the node. */
  readonly cores: CoreBudget;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** Who is told of what. */
export interface InstanceSetOptions extends InstanceSettings {
  /** Called with the first instance, before it takes jobs. Rejects only where it has left the instance behind. */
  readonly examine: (instance: Instance) => Promise<void>;
  /** Called when an instance may have become free. */
  readonly onFree: () => void;
  /** Called when one has gone, and at every attempt in vain to replace it. */
  readonly onLost: () => void;
  /** Called once, when instances have died too often. */
  readonly onQuarantine: (why: string) => void;
}

/** The instances of one replica: lends those that are idle while there are cores for them, and replaces those that die. */
export class InstanceSet {
  readonly #options: InstanceSetOptions;
  /** With the threads that each was asked for. */
  readonly #live = new Map<Instance, number>();
  readonly #idle: Instance[] = [];
  /** How many runs those have that are not: one, and maybe one ahead. */
  readonly #runCounts = new Map<Instance, number>();
  readonly #replacing = new Set<Promise<void>>();
  /** The ends that are still to come of the threads of those that are lost, also before they were ready. */
  readonly #leftBehind = new Set<Promise<void>>();
  #lostCount = 0;
  #crashTimesMs: number[] = [];
  /** Deaths and attempts in vain to replace one, in a row. */
  #failureCount = 0;
  #isIrreplaceable = false;
  /** Whether the next run may share its cores, since it has waited for them. */
  #maySqueeze = false;
  #cancelWait: (() => void) | undefined;
  #isClosed = false;

  constructor(options: InstanceSetOptions) {
    this.#options = options;
  }

  /** Those that are there. */
  get count(): number {
    return this.#live.size;
  }

  /** Those in processes of their own. */
  get processCount(): number {
    return [...this.#live.keys()].filter(({ isolation }) => isolation === "process").length;
  }

  /** Those that were lost so far. */
  get lostCount(): number {
    return this.#lostCount;
  }

  /** Those of them whose threads have not ended, since they do not come back. */
  get leftBehindCount(): number {
    return this.#leftBehind.size;
  }

  /** Those that would run a job now. */
  get freeCount(): number {
    const { length } = this.#idle;
    if (length === 0) return 0;
    return this.#maySqueeze || this.#options.cores.hasRoom(this.#idle[0].intraOpThreads) ? length : 0;
  }

  /**
   * Whether a run may be given to the instance that will end one next: where the replica is to have but one, others could not run it
   * sooner; and whoever waits for the cores has the next turn.
   */
  get takesAhead(): boolean {
    const { sessionThreads, cores } = this.#options;
    const [instance] = this.#runCounts.keys();
    const isOnly = sessionThreads.length === 1 && instance !== undefined;
    return isOnly && instance.takesAhead && this.#runCounts.get(instance) === 1 && !cores.isAwaited;
  }

  /** Runs that instances have been given besides those under way. */
  get aheadCount(): number {
    return [...this.#runCounts.values()].filter((count) => count > 1).length;
  }

  /** Whether there is none, and the last attempt to replace one has failed. */
  get isBroken(): boolean {
    return this.#live.size === 0 && this.#isIrreplaceable;
  }

  /**
   * Loads every instance: one first, so that a model that cannot be loaded fails once. Rejects with the fault, once none is being
   * loaded any longer; `stop` stops those that were.
   */
  async start(): Promise<Signature> {
    const { sessionThreads, examine } = this.#options;
    const [threads, ...rest] = sessionThreads;
    const first = await this.#loaded(threads);
    await this.#noting(examine(first));
    await this.#add(first, threads);
    const others = rest.map(async (other) => this.#add(await this.#loaded(other), other));
    const failed = (await Promise.allSettled(others)).find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return first.signature;
  }

  /** An instance that is free, and is no longer. */
  take(): Instance {
    const instance = this.#idle.shift()!;
    this.#maySqueeze = false;
    this.#options.cores.take(instance.intraOpThreads);
    this.#runCounts.set(instance, 1);
    return instance;
  }

  /** The instance that takes a run ahead, and takes no other. */
  takeAhead(): Instance {
    const [instance] = this.#runCounts.keys();
    this.#runCounts.set(instance, 2);
    return instance;
  }

  /** Takes an instance back from a job that it has done, or that was taken back. */
  giveBack(instance: Instance): void {
    // It may have died after its last word.
    if (!this.#live.has(instance)) return;
    this.#failureCount = 0;
    const runCount = this.#runCounts.get(instance)! - 1;
    if (runCount > 0) {
      this.#runCounts.set(instance, runCount);
      return;
    }
    this.#runCounts.delete(instance);
    this.#idle.push(instance);
    this.#options.cores.giveBack(instance.intraOpThreads);
  }

  /** Asks for a turn, where there are idle instances and no cores for them. */
  awaitCores(): void {
    if (this.#cancelWait !== undefined || this.#idle.length === 0 || this.freeCount > 0) return;
    this.#cancelWait = this.#options.cores.wait(this.#idle[0].intraOpThreads, () => {
      this.#cancelWait = undefined;
      this.#maySqueeze = true;
      this.#options.onFree();
      this.#maySqueeze = false;
    });
  }

  /** Hears of the runs that have ended by now. */
  poll(): void {
    for (const instance of this.#live.keys()) instance.poll();
  }

  /** Replaces none any longer. Settles once none is being loaded. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#replacing);
  }

  /** Stops all of them, which have to be idle. */
  async stop(): Promise<void> {
    this.#cancelWait?.();
    await Promise.all([...this.#live.keys()].map((instance) => instance.stop()));
  }

  /** Settles when the threads of those that are lost by now have ended, if ever. */
  async gone(): Promise<void> {
    await Promise.all(this.#leftBehind);
  }

  #loaded(threads: number): Promise<Instance> {
    return this.#noting(this.#options.startInstance(threads));
  }

  /** Remembers what is left behind where an instance does not become ready. */
  async #noting<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (failure) {
      if (failure instanceof SessionOverdue || failure instanceof WarmUpOverdue) this.#leave(failure.gone);
      throw failure;
    }
  }

  #leave(gone: Promise<void>): void {
    this.#leftBehind.add(gone);
    void gone.then(() => this.#leftBehind.delete(gone));
  }

  /** What is loaded only after the end is stopped here: nobody else knows of it. */
  async #add(instance: Instance, threads: number): Promise<void> {
    if (this.#isClosed) return instance.stop();
    this.#isIrreplaceable = false;
    this.#live.set(instance, threads);
    this.#idle.push(instance);
    void instance.ended.then((why) => this.#lose(instance, why));
    this.#options.onFree();
  }

  #lose(instance: Instance, why: string): void {
    const threads = this.#live.get(instance)!;
    this.#live.delete(instance);
    this.#runCounts.delete(instance);
    const index = this.#idle.indexOf(instance);
    if (index >= 0) this.#idle.splice(index, 1);
    else this.#options.cores.giveBack(instance.intraOpThreads);
    this.#leave(instance.gone);
    if (!this.#isClosed) this.#noteCrash(threads, why);
    this.#options.onLost();
  }

  #noteCrash(threads: number, why: string): void {
    this.#lostCount++;
    const { clock, crashes, log, onQuarantine } = this.#options;
    this.#crashTimesMs = [...this.#crashTimesMs, clock.monotonicMs()].slice(-crashes.countMax);
    const [earliestMs] = this.#crashTimesMs;
    const isTooOften =
      this.#crashTimesMs.length === crashes.countMax && clock.monotonicMs() - earliestMs <= crashes.withinMs;
    if (isTooOften) {
      this.#isClosed = true;
      onQuarantine(`${crashes.countMax} sessions died within ${crashes.withinMs / 1000} s, the last one: ${why}`);
      return;
    }
    log.error({ why }, "a session was lost and will be replaced");
    this.#replaceLater(threads);
  }

  /** One that dies while it loads has died like any other. */
  #noteFailure(threads: number, failure: unknown): void {
    if (failure instanceof ServiceError && failure.reason === "WORKER_LOST") {
      this.#noteCrash(threads, failure.message);
    } else {
      this.#replaceLater(threads);
    }
  }

  #replaceLater(threads: number): void {
    const { clock, restart, random } = this.#options;
    this.#failureCount++;
    clock.after(backOffMs(this.#failureCount, restart, random()), () => {
      const replacing = this.#replace(threads).finally(() => this.#replacing.delete(replacing));
      this.#replacing.add(replacing);
    });
  }

  async #replace(threads: number): Promise<void> {
    if (this.#isClosed) return;
    try {
      await this.#add(await this.#loaded(threads), threads);
    } catch (failure) {
      this.#isIrreplaceable = true;
      this.#options.log.error({ why: messageOf(failure) }, "a lost session could not be replaced yet");
      if (!this.#isClosed) this.#noteFailure(threads, failure);
      this.#options.onLost();
    }
  }
}
