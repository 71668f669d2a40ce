import type { ChildProcess } from "node:child_process";
import type { Clock } from "../../../lib/clock.ts";
import { startProcess } from "../../../lib/start-process.ts";
import type { Outcome } from "../store/validations.ts";
import { exceedingSignal, type ValidatorReply, type ValidatorTask } from "./protocol.ts";

/** What one validation may take. */
export interface ValidatorLimits {
  /** In milliseconds. */
  readonly timeoutMs: number;
  readonly memoryBytesMax: number;
}

/** What came of handing a model to a validator process. */
export type Verdict = { readonly kind: "outcome"; readonly outcome: Outcome } | Ending;

/** Why there is no outcome. */
type Ending =
  /** The model took more than it may. */
  | { readonly kind: "exceeded"; readonly detail: string }
  /** The process ended by itself. */
  | { readonly kind: "crashed"; readonly detail: string }
  /** Somebody else ended the process: the system where it is out of memory, or an operator. */
  | { readonly kind: "killed"; readonly detail: string }
  /** The machine was short of something, or failed. */
  | { readonly kind: "prevented"; readonly detail: string };

/**
 * A place for one validator process at a time. It is started when it is needed, does one model after the other, and is killed when
 * a model takes too long.
 */
export class Validator {
  readonly #limits: ValidatorLimits;
  readonly #clock: Clock;
  #running: RunningProcess | undefined;

  constructor(limits: ValidatorLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Settles once there is a process that takes a task. Throws where it does not start, which is none of any model's fault. */
  async ready(signal: AbortSignal): Promise<void> {
    // It may have died since the last one.
    if (this.#running?.isOver) this.#running = undefined;
    const running = this.#running ?? new RunningProcess(this.#limits.memoryBytesMax);
    this.#running = running;
    const start = await this.#attended(running, signal, () => this.#within(startMsMax, running, running.ready));
    if (start === "too slow") throw new Error(`the validator did not start within ${startMsMax / 1000} s`);
    if (start !== undefined) throw new Error(`the validator did not start: ${start.detail}`);
    if (running.isOver) throw new Error("the validator ended as soon as it had started");
  }

  /**
   * To be called again only once it has settled. The signal ends it: then the answer is of no use. Throws what `ready` throws.
   */
  async validate(task: ValidatorTask, signal: AbortSignal): Promise<Verdict> {
    await this.ready(signal);
    const { timeoutMs } = this.#limits;
    const running = this.#running!;
    const verdict = await this.#attended(running, signal, () => this.#within(timeoutMs, running, running.ask(task)));
    if (verdict !== "too slow") return verdict;
    return { kind: "exceeded", detail: `it took longer than ${timeoutMs / 1000} s` };
  }

  /** Ends the process when the signal aborts; leaves none that is over. */
  async #attended<Answer>(running: RunningProcess, signal: AbortSignal, work: () => Promise<Answer>): Promise<Answer> {
    const kill = () => running.kill();
    signal.addEventListener("abort", kill);
    if (signal.aborted) kill();
    try {
      return await work();
    } finally {
      signal.removeEventListener("abort", kill);
      if (running.isOver) await this.stop();
    }
  }

  /** What a process comes to, or how it ends; it is killed where that takes too long. */
  async #within<Answer>(
    timeoutMs: number,
    running: RunningProcess,
    answer: Promise<Answer>,
  ): Promise<Answer | Ending | "too slow"> {
    let isTooSlow = false;
    const cancel = this.#clock.after(timeoutMs, () => {
      isTooSlow = true;
      running.kill();
    });
    try {
      const first = await Promise.race([answer, running.ended]);
      return isTooSlow ? "too slow" : first;
    } finally {
      cancel();
    }
  }

  /** Ends the process; settles when it is gone. */
  async stop(): Promise<void> {
    this.#running?.kill();
    await this.#running?.ended;
    this.#running = undefined;
  }
}

/** How long a process may take to start, in milliseconds. */
const startMsMax = 60_000;

/** One process, until it ends. */
class RunningProcess {
  /** Settles once it takes tasks. */
  readonly ready: Promise<undefined>;
  /** Settles with how it has ended. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  #isOver = false;
  #lastWords = "";
  #answered: (verdict: Verdict) => void = () => undefined;

  constructor(memoryBytesMax: number) {
    this.#child = startProcess(new URL("./main", import.meta.url), [String(process.pid), String(memoryBytesMax)], {
      execArgv: ["--expose-gc"],
      // Nothing of ours: no passwords. What is freed goes back to the system, so that growth can be measured.
      env: { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "0", MALLOC_MMAP_THRESHOLD_: "65536" },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced",
    });
    this.#child.stderr?.on("data", (text) => {
      this.#lastWords = `${this.#lastWords}${text}`.slice(-lastWordsCharactersMax);
    });
    this.ready = new Promise((settle) => {
      this.#child.on("message", (reply: ValidatorReply) => {
        if (reply.kind === "ready") return settle(undefined);
        if (reply.isWorn) this.kill();
        this.#answered(reply);
      });
    });
    this.ended = new Promise<Ending>((settle) => {
      this.#child.on("error", (failure) => settle({ kind: "prevented", detail: failure.message }));
      this.#child.once("close", (code, signal) => settle(this.#ending(code, signal, memoryBytesMax)));
    }).then((ending) => {
      this.#isOver = true;
      return ending;
    });
  }

  /** Whether it takes no more tasks. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Settles only where it does not end before. */
  ask(task: ValidatorTask): Promise<Verdict> {
    return new Promise((settle) => {
      this.#answered = settle;
      // Where it cannot be sent, the process is gone.
      this.#child.send(task, () => undefined);
    });
  }

  kill(): void {
    this.#isOver = true;
    this.#child.kill("SIGKILL");
  }

  #ending(code: number | null, signal: string | null, memoryBytesMax: number): Ending {
    if (signal === exceedingSignal) {
      return { kind: "exceeded", detail: `it needed more than ${memoryBytesMax} bytes of memory` };
    }
    const words = this.#lastWords.trim().split("\n").slice(-linesMax).join(" ");
    const detail = `${signal ?? `exit code ${code}`}${words && `: ${words}`}`;
    return { kind: signal === "SIGKILL" ? "killed" : "crashed", detail };
  }
}

/** How much of what a process says on standard error is kept, and told. */
const lastWordsCharactersMax = 4096;
const linesMax = 5;
