import type { ChildProcess } from "node:child_process";
import { setTimeout as waited } from "node:timers/promises";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import { startProcess } from "../../../lib/start-process.ts";
import { type HostMessage, isLast, type LastWord, type ProcessMessage, type Task } from "./protocol.ts";
import type { TaskNews } from "./task-host.ts";

/** How a process has ended without a last word; code and signal are both null where it could not be started. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote on standard error. */
  readonly words: string;
}

/** A process that does one task, or waits for one. It ends with this one, whatever it does then. */
export class JobProcess {
  /** Settles with its last word, or with how it has ended without one. Never rejects. */
  readonly over: Promise<LastWord | Ending>;
  /** Settles once its task has told something, or it has ended. */
  readonly heard: Promise<void>;
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;
  #words = "";
  #onNews: (news: TaskNews) => void = () => undefined;
  #isOver = false;

  /** `heapBytesMax` bounds what V8 may hold beside buffers. Throws WORKER_LOST where the system starts no process. */
  constructor(heapBytesMax: number) {
    const heapMebibytes = Math.max(heapMebibytesMin, Math.floor(heapBytesMax / 2 ** 20));
    this.#child = started([`--max-old-space-size=${heapMebibytes}`]);
    this.#child.stderr?.on("data", (text) => {
      this.#words = `${this.#words}${text}`.slice(-wordsCharactersMax);
    });
    const ended = new Promise<Ending>((settle) => {
      // It could not be started, or a message could not be sent, as to one that has just died.
      this.#child.on("error", (failure) => {
        if (this.#child.pid === undefined) settle({ code: null, signal: null, words: failure.message });
      });
      this.#child.once("close", (code, signal) => settle({ code, signal, words: this.#words.trim() }));
    });
    this.#closed = ended.then(() => undefined);
    const first = new Promise<void>((settle) => this.#child.once("message", () => settle()));
    const lastWord = new Promise<LastWord>((settle) => {
      this.#child.on("message", (message: ProcessMessage) => {
        if (isLast(message)) settle(message);
        else this.#onNews(message);
      });
    });
    this.over = Promise.race([lastWord, ended]);
    this.heard = Promise.race([first, this.#closed]);
    void this.over.then(() => {
      this.#isOver = true;
    });
  }

  /** Has it load what a training needs, before there is one. */
  prepare(): void {
    this.#send({ kind: "prepare" });
  }

  /** Gives it its task; what it tells is passed on in order. */
  begin(task: Task, onNews: (news: TaskNews) => void): void {
    this.#onNews = onNews;
    this.#send({ kind: "begin", task });
  }

  /** Whether it has ended, or could not be started, as far as is known. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Undefined where it could not be started. */
  get id(): number | undefined {
    return this.#child.pid;
  }

  /** Asks it to keep its state and stop. */
  pause(): void {
    this.#send({ kind: "pause" });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Settles once it is gone, and its memory is free; one that does not end by itself is killed. */
  async gone(): Promise<void> {
    await Promise.race([this.#closed, waited(endMsMax, undefined, { ref: false })]);
    this.kill();
    await this.#closed;
  }

  /** Of one that is ending nothing is wanted any more. */
  #send(message: HostMessage): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }
}

/**
 * Why a process has ended without a last word, which nobody here wanted. Another attempt makes sense where someone killed it, or where it could
 * not be started.
 */
export function faultOf({ code, signal, words }: Ending): ServiceError {
  if (code === null && signal === null) return notStarted(words);
  if (/heap out of memory|Cannot allocate memory|bad_alloc/.test(words)) {
    return new ServiceError("OUT_OF_MEMORY", "the job's process ran out of memory", { cause: words });
  }
  if (signal === "SIGKILL" || signal === "SIGTERM") {
    return new ServiceError("WORKER_LOST", `the job's process was ended by ${signal}`);
  }
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
  const lines = words.split("\n").slice(-linesMax).join(" ");
  return new ServiceError("INTERNAL", `the job's process ended ${how}${lines && `: ${lines}`}`, { cause: words });
}

/** As of too many processes some faults are thrown, of others the process tells. */
function started(execArgv: readonly string[]): ChildProcess {
  try {
    return startProcess(new URL("./main", import.meta.url), [], {
      execArgv,
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
  } catch (failure) {
    throw notStarted(messageOf(failure), failure);
  }
}

function notStarted(why: string, cause?: unknown): ServiceError {
  return new ServiceError("WORKER_LOST", `the job's process could not be started: ${why}`, { cause });
}

/** What V8 needs for itself. */
const heapMebibytesMin = 64;
/** How much of what a process says on standard error is kept, and told. */
const wordsCharactersMax = 4096;
const linesMax = 3;
/** How long a process may take to end behind its last word, in milliseconds. */
const endMsMax = 500;
