import type { ChildProcess } from "node:child_process";
import type { Clock } from "../../../lib/clock.ts";
import type { Outcome } from "../store/validations.ts";
import { exceedingSignal, type ValidatorReply, type ValidatorTask } from "./protocol.ts";
import { startProcess } from "./start-process.ts";

/** What one validation may take. */
export interface ValidatorLimits {
  /** In milliseconds. */
  readonly timeoutMs: number;
  readonly memoryBytesMax: number;
}

/** What came of handing a model to a validator process. */
export type Verdict =
  | { readonly kind: "outcome"; readonly outcome: Outcome }
  /** The model took more than it may. */
  | { readonly kind: "exceeded"; readonly reason: string }
  /** The process ended. */
  | { readonly kind: "crashed"; readonly detail: string }
  /** The machine was short of something. */
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

  /** To be called again only once it has settled. The signal ends it: then the answer is of no use. */
  async validate(task: ValidatorTask, signal: AbortSignal): Promise<Verdict> {
    const { timeoutMs } = this.#limits;
    const running = this.#running ?? new RunningProcess(this.#limits.memoryBytesMax);
    this.#running = running;
    let isTooSlow = false;
    const cancel = this.#clock.after(timeoutMs, () => {
      isTooSlow = true;
      running.kill();
    });
    const kill = () => running.kill();
    signal.addEventListener("abort", kill);
    if (signal.aborted) kill();
    try {
      const verdict = await running.ask(task);
      return isTooSlow ? { kind: "exceeded", reason: `it took longer than ${timeoutMs / 1000} s` } : verdict;
    } finally {
      cancel();
      signal.removeEventListener("abort", kill);
      if (running.isOver) this.#running = undefined;
    }
  }

  /** Ends the process; settles when it is gone. */
  async stop(): Promise<void> {
    this.#running?.kill();
    await this.#running?.ended;
    this.#running = undefined;
  }
}

/** One process, until it ends. */
class RunningProcess {
  /** Settles with how it has ended. */
  readonly ended: Promise<Verdict>;
  readonly #child: ChildProcess;
  #isOver = false;
  #lastWords = "";
  #answered: (reply: ValidatorReply) => void = () => undefined;

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
    this.#child.on("message", (reply: ValidatorReply) => {
      this.#isOver = reply.isLast;
      this.#answered(reply);
    });
    this.ended = new Promise((settle) => {
      this.#child.on("error", (failure) => settle({ kind: "prevented", detail: failure.message }));
      this.#child.once("close", (code, signal) => settle(this.#ending(code, signal, memoryBytesMax)));
    }).then((verdict) => {
      this.#isOver = true;
      return verdict as Verdict;
    });
  }

  /** Whether it takes no more tasks. */
  get isOver(): boolean {
    return this.#isOver;
  }

  ask(task: ValidatorTask): Promise<Verdict> {
    const answer = new Promise<Verdict>((settle) => {
      this.#answered = settle;
      // Where it cannot be sent, the process is gone.
      this.#child.send(task, () => undefined);
    });
    return Promise.race([answer, this.ended]);
  }

  kill(): void {
    this.#isOver = true;
    this.#child.kill("SIGKILL");
  }

  #ending(code: number | null, signal: string | null, memoryBytesMax: number): Verdict {
    if (signal === exceedingSignal) {
      return { kind: "exceeded", reason: `it needed more than ${memoryBytesMax} bytes of memory` };
    }
    const words = this.#lastWords.trim().split("\n").slice(-linesMax).join(" ");
    return { kind: "crashed", detail: `${signal ?? `exit code ${code}`}${words && `: ${words}`}` };
  }
}

/** How much of what a process says on standard error is kept, and told. */
const lastWordsCharactersMax = 4096;
const linesMax = 5;
