import { messageOf } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { JobProcess } from "./job-process.ts";

/** What processes of jobs are started with. */
export interface JobProcessesOptions {
  /** Processes that wait for a task, at most; 0 for none. */
  readonly spareMax: number;
  /** For which V8 has as much memory; a task that may have more or less gets a process that is started for it. */
  readonly spareHeapBytesMax: number;
  readonly log: Log;
}

/**
 * The processes of jobs. Some are started ahead, so that a task need not wait until what it needs is loaded, which takes half a second of a core.
 * Each still does one task, and ends with it.
 */
export class JobProcesses {
  readonly #options: JobProcessesOptions;
  #spares: JobProcess[] = [];
  #isStopped = false;

  constructor(options: JobProcessesOptions) {
    this.#options = options;
  }

  /** Starts as many as are missing of those that wait. */
  start(): void {
    const { spareMax, spareHeapBytesMax, log } = this.#options;
    this.#spares = this.#spares.filter(({ isOver }) => !isOver);
    try {
      while (this.#spares.length < spareMax && !this.#isStopped) {
        const spare = new JobProcess(spareHeapBytesMax);
        spare.prepare();
        this.#spares.push(spare);
      }
    } catch (failure) {
      // The next job tries again, and starts one for itself.
      log.warn({ error: messageOf(failure) }, "no process could be started ahead");
    }
  }

  /**
   * A process for one task, which the caller ends. Another one is started ahead in its place once the task has told something, and is past its
   * beginning. Throws WORKER_LOST where the system starts no process.
   */
  take(heapBytesMax: number): JobProcess {
    const { spareHeapBytesMax } = this.#options;
    this.#spares = this.#spares.filter(({ isOver }) => !isOver);
    const spare = heapBytesMax === spareHeapBytesMax ? this.#spares.shift() : undefined;
    const taken = spare ?? new JobProcess(heapBytesMax);
    void taken.heard.then(() => this.start());
    return taken;
  }

  /** Ends those that wait; none is started any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const spare of this.#spares) spare.kill();
    await Promise.all(this.#spares.splice(0).map((spare) => spare.gone()));
  }
}
