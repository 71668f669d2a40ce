import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { MemoryEstimate } from "../engine/memory-estimate.ts";
import { type Ending, faultOf, type JobProcess } from "./job-process.ts";
import type { JobProcesses } from "./job-processes.ts";
import type { LastWord, Task, TaskFailure, TaskKind, Tasks } from "./protocol.ts";
import { residentBytes, systemKills } from "./resident-bytes.ts";
import type { TaskNews } from "./task-host.ts";

/** What a task may take. */
export interface TaskLimits {
  /** Of its process, all in all. */
  readonly memoryBytesMax: number;
  readonly runTimeMsMax: number;
  /** How long the job has run before. */
  readonly ranMs: number;
}

/** How a task is run. */
export interface TaskOptions {
  /** Where its process comes from. */
  readonly processes: Pick<JobProcesses, "take">;
  readonly limits: TaskLimits;
  /** Stops the task within a second. */
  readonly signal: AbortSignal;
  /** Called in order. */
  readonly onNews: (news: TaskNews) => void;
  readonly clock: Clock;
}

/**
 * Does a task in a process of its own, which is gone when this settles. Rejects with what the task throws; with the signal's reason; with
 * OUT_OF_MEMORY or RUN_TIME_EXCEEDED where it takes more than it may; with WORKER_LOST where somebody killed its process, and with INTERNAL
 * where that crashed.
 */
export async function runTask<Kind extends TaskKind>(
  task: { readonly kind: Kind } & Tasks[Kind]["task"],
  options: TaskOptions,
): Promise<Tasks[Kind]["result"]> {
  const { signal, limits, clock } = options;
  signal.throwIfAborted();
  const killsBefore = await systemKills();
  const attended = new AttendedProcess(task as Task, options);
  const stop = () => attended.stop(signal.reason);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  const cancelTime = clock.after(Math.max(0, limits.runTimeMsMax - limits.ranMs), () => attended.end(tooSlow(limits)));
  try {
    const last = await attended.over;
    if ("kind" in last && last.kind === "finished") return last.result;
    if ("kind" in last && last.kind === "failed") throw failureOf(last, attended);
    if ("kind" in last) throw signal.reason ?? new ServiceError("INTERNAL", "the job's process stopped unasked");
    if (signal.aborted) throw signal.reason;
    const isKilledBySystem = last.signal === "SIGKILL" && (await systemKills()) > killsBefore;
    throw isKilledBySystem ? attended.outOfMemory("when the system ended it") : faultOf(last);
  } finally {
    signal.removeEventListener("abort", stop);
    cancelTime();
    await attended.gone();
  }
}

/** A process whose memory is watched. */
class AttendedProcess {
  /** Settles with its last word or its end; rejects with why it was ended. */
  readonly over: Promise<LastWord | Ending>;
  readonly #process: JobProcess;
  readonly #options: TaskOptions;
  #memory: MemoryEstimate | undefined;
  #seenBytes = 0;
  #fail: (fault: ServiceError) => void = () => undefined;
  #isGone = false;
  #cancelWatch: () => void = () => undefined;
  #cancelKill: () => void = () => undefined;

  constructor(task: Task, options: TaskOptions) {
    this.#options = options;
    this.#process = options.processes.take(options.limits.memoryBytesMax);
    this.#process.begin(task, (news) => {
      if (news.kind === "started") this.#memory = news.memory;
      options.onNews(news);
    });
    const ended = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    this.over = Promise.race([this.#process.over, ended]);
    this.#watchLater();
  }

  /** Ends the process; where another worker goes on after such a reason, the process is given the time to keep its state. */
  stop(reason: unknown): void {
    const isFollowed = reason instanceof ServiceError && followed.has(reason.reason);
    if (isFollowed) this.#process.pause();
    this.#cancelKill = this.#options.clock.after(isFollowed ? pauseMsMax : 0, () => this.#process.kill());
  }

  /** Ends the process at once, for a reason. */
  end(fault: ServiceError): void {
    this.#fail(fault);
    this.#process.kill();
  }

  /** Settles once the process is gone. */
  async gone(): Promise<void> {
    await this.#process.gone();
    this.#isGone = true;
    this.#cancelWatch();
    this.#cancelKill();
  }

  /** With what was estimated, and what to change. */
  outOfMemory(what: string): ServiceError {
    const { memoryBytesMax } = this.#options.limits;
    const estimate = this.#memory && estimated(this.#memory);
    return new ServiceError(
      "OUT_OF_MEMORY",
      `the job held ${this.#seenBytes} bytes of memory, ${what}${estimate ?? ""}; smaller batches, more accumulated_parts or a ` +
        "smaller network take less, and limits.memory_bytes and AMAAS_TRAINER_MEMORY_BYTES_MAX say how much it may have",
      { metadata: { seen: String(this.#seenBytes), max: String(memoryBytesMax) } },
    );
  }

  #watchLater(): void {
    this.#cancelWatch = this.#options.clock.after(watchMs, () => void this.#watch());
  }

  async #watch(): Promise<void> {
    const { id } = this.#process;
    const bytes = id === undefined ? undefined : await residentBytes(id);
    if (bytes === undefined || this.#isGone) return;
    this.#seenBytes = bytes;
    const { memoryBytesMax } = this.#options.limits;
    if (bytes > memoryBytesMax) this.end(this.outOfMemory(`of at most ${memoryBytesMax}`));
    else this.#watchLater();
  }
}

function failureOf({ reason, metadata, message, stack }: TaskFailure, attended: AttendedProcess): ServiceError {
  if (reason !== undefined) return new ServiceError(reason, message, { metadata, cause: stack });
  if (memoryWords.test(message)) return attended.outOfMemory(`when it could get no more (${message.slice(0, 200)})`);
  // Another worker may have room, or this one later.
  if (/\bENOSPC\b/.test(message)) return new ServiceError("WORKER_LOST", `the trainer's disk is full: ${message}`);
  return new ServiceError("INTERNAL", message, { cause: stack });
}

function estimated(memory: MemoryEstimate): string {
  const { totalBytes, parameterBytes, optimizerBytes, activationBytes, evaluationBytes, batchBytes, datasetBytes } =
    memory;
  return (
    `; it was estimated to take ${totalBytes}, with ${parameterBytes} for parameters, ${optimizerBytes} for the optimizer, ` +
    `${activationBytes} for the values of a step, ${evaluationBytes} for those of measuring, ${batchBytes} for rows of a call and ` +
    `${datasetBytes} for the dataset`
  );
}

function tooSlow({ runTimeMsMax }: TaskLimits): ServiceError {
  const bound = `${runTimeMsMax / 1000} s, over all attempts: limits.run_time, or AMAAS_TRAINER_RUN_TIME_MS_MAX`;
  const message = `the job has run for longer than it may; needed: at most ${bound}`;
  return new ServiceError("RUN_TIME_EXCEEDED", message);
}

/** What V8, the allocators of the runtime and of a device say. */
const memoryWords =
  /bad_?\s?alloc|out of memory|failed to allocate memory|Array buffer allocation failed|not enough memory|AllocateRawInternal|Invalid typed array length/i;
/** Reasons of a stop after which the job goes on later. */
const followed: ReadonlySet<string> = new Set(["DRAINING", "JOB_PAUSED"]);
/** How long a process may take to keep its state, in milliseconds: less than a second together with its end. */
const pauseMsMax = 800;
/** How often the memory of a process is looked at, in milliseconds. */
const watchMs = 100;
