import type { Clock } from "../lib/clock.ts";
import { messageOf } from "../lib/errors.ts";
import { exitOnBadSetting } from "../lib/process.ts";
import { type RestartPolicy, restartAfter } from "./restart-policy.ts";

/** How a process ended; `reason` says it in words. */
export interface Ending {
  readonly exitCode: number | null;
  readonly reason: string;
}

/** One run of a process. */
export interface Launched {
  readonly pid: number;
  /** Settles with its address once it serves; never, if it ends before. */
  readonly ready: Promise<string>;
  /** Settles once it has ended. */
  readonly ended: Promise<Ending>;
  /** Asks it to finish what it has accepted and to end. */
  terminate(): void;
  /** Ends it now. */
  kill(): void;
}

export type ChildState =
  | { readonly kind: "stopped" }
  /** Launched, does not serve yet. */
  | { readonly kind: "starting"; readonly pid: number }
  | { readonly kind: "running"; readonly pid: number; readonly address: string }
  /** Ended unasked; starts again in `delayMs`. `crashes` counts those in a row. */
  | { readonly kind: "backing-off"; readonly reason: string; readonly crashes: number; readonly delayMs: number }
  /** Asked to end. */
  | { readonly kind: "stopping"; readonly pid: number }
  /** Ended unasked and is not started again. */
  | { readonly kind: "failed"; readonly reason: string; readonly exitCode: number | null };

export interface ChildOptions {
  readonly name: string;
  readonly launch: () => Promise<Launched>;
  readonly policy: RestartPolicy;
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** A run that does not serve within this time is killed and counts as crashed. */
  readonly startTimeoutMs: number;
  /** A run that has not ended within this time after being asked to is killed. */
  readonly stopTimeoutMs: number;
  /** Hears of every change of the state. */
  readonly onChange: (state: ChildState) => void;
}

/** The child reached the state `failed`; `exitCode` is that of its last run. */
export class ChildFailed extends Error {
  override readonly name = "ChildFailed";
  readonly exitCode: number | null;

  constructor(message: string, exitCode: number | null) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** One supervised process: keeps it running from `start` to `stop`, through its crashes. */
export class Child {
  readonly #options: ChildOptions;
  #state: ChildState = { kind: "stopped" };
  #stopping = false;
  #current: Launched | null = null;
  #endPause: () => void = () => undefined;
  #life: Promise<void> | null = null;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  get state(): ChildState {
    return this.#state;
  }

  /** Settles with the address once the process serves; rejects with {@link ChildFailed} if it never does. */
  start(): Promise<string> {
    return new Promise((serves, fails) => {
      this.#life = this.#live(serves).then(() => {
        const { name } = this.#options;
        const failed =
          this.#state.kind === "failed" ? this.#state : { reason: "stopped while starting", exitCode: null };
        fails(new ChildFailed(`${name}: ${failed.reason}`, failed.exitCode));
      });
    });
  }

  /** Settles once no run is left; may be called at any time and again. */
  async stop(): Promise<void> {
    const { clock, stopTimeoutMs } = this.#options;
    this.#stopping = true;
    this.#endPause();
    this.#terminate();
    const cancel = clock.after(stopTimeoutMs, () => this.#current?.kill());
    await this.#life;
    cancel();
    if (this.#state.kind !== "failed") this.#become({ kind: "stopped" });
  }

  /** Ends the current run without waiting for what it has accepted; `stop` still has to be called. */
  kill(): void {
    this.#current?.kill();
  }

  async #live(onServing: (address: string) => void): Promise<void> {
    const { clock, policy, random } = this.#options;
    let crashes = 0;
    let hasServed = false;
    while (!this.#stopping) {
      const startMs = clock.now();
      const ending = await this.#runOnce((address) => {
        hasServed = true;
        onServing(address);
      });
      if (this.#stopping) return;
      const ranMs = clock.now() - startMs;
      const restart = restartAfter({ crashesBefore: crashes, ranMs, hasServed }, random(), policy);
      if (ending.exitCode === exitOnBadSetting || restart.kind === "give-up") {
        this.#become({ kind: "failed", ...ending });
        return;
      }
      crashes = restart.crashes;
      this.#become({ kind: "backing-off", reason: ending.reason, crashes, delayMs: restart.delayMs });
      await this.#pause(restart.delayMs);
    }
  }

  async #runOnce(onServing: (address: string) => void): Promise<Ending> {
    const { launch, clock, startTimeoutMs } = this.#options;
    let run: Launched;
    try {
      run = await launch();
    } catch (failure) {
      return { exitCode: null, reason: messageOf(failure) };
    }
    this.#current = run;
    this.#become({ kind: "starting", pid: run.pid });
    if (this.#stopping) this.#terminate();
    let timedOut = false;
    const cancel = clock.after(startTimeoutMs, () => {
      timedOut = true;
      run.kill();
    });
    const serving = run.ready.then((address) => {
      cancel();
      if (this.#current !== run || this.#stopping) return;
      this.#become({ kind: "running", pid: run.pid, address });
      onServing(address);
    });
    const ending = await Promise.race([run.ended, serving.then(() => run.ended)]);
    cancel();
    this.#current = null;
    return timedOut ? { ...ending, reason: `did not serve within ${startTimeoutMs / 1000} s of its start` } : ending;
  }

  #terminate(): void {
    if (this.#current === null) return;
    this.#become({ kind: "stopping", pid: this.#current.pid });
    this.#current.terminate();
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((over) => {
      const cancel = this.#options.clock.after(delayMs, over);
      this.#endPause = () => {
        cancel();
        over();
      };
    });
  }

  #become(state: ChildState): void {
    this.#state = state;
    this.#options.onChange(state);
  }
}
