import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { commandLine, isAlive } from "./processes.ts";

const pollMs = 20;

/** Process ids and the programs that they run, by service. */
type Processes = Record<string, { readonly pid: number; readonly program: string }>;

/**
 * Which processes run for a data directory, on disk for the next supervisor: services of one that was killed drain for a
 * while, and nothing new may start beside them.
 */
export class RunRecord {
  readonly #file: string;
  #processes: Processes = {};

  constructor(folder: string) {
    this.#file = join(folder, "run.json");
  }

  /** Notes that a process runs, or with null that it ended. */
  note(name: string, process: Processes[string] | null): void {
    const { [name]: _, ...others } = this.#processes;
    this.#processes = process === null ? others : { ...others, [name]: process };
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#processes));
    renameSync(`${this.#file}.new`, this.#file);
  }

  /**
   * Settles once no process of an earlier run is left; those that take longer than `timeoutMs` are killed. Rejects with the
   * reason of `signal` soon after it is aborted; they then stay recorded.
   */
  async endLeftovers(
    timeoutMs: number,
    onWaiting: (names: readonly string[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const left = Object.entries(this.#read()).filter(([, process]) => runs(process));
    if (left.length === 0) return;
    onWaiting(left.map(([name]) => name));
    const killMs = Date.now() + timeoutMs;
    for (const [, process] of left) {
      while (runs(process)) {
        signal.throwIfAborted();
        if (Date.now() > killMs) globalThis.process.kill(process.pid, "SIGKILL");
        await sleep(pollMs);
      }
    }
  }

  /** Call once no process is left, neither of this run nor of an earlier one. */
  remove(): void {
    rmSync(this.#file, { force: true });
  }

  #read(): Processes {
    try {
      return JSON.parse(readFileSync(this.#file, "utf8"));
    } catch {
      return {};
    }
  }
}

/** The same process, not another one that has got its number since. */
function runs({ pid, program }: Processes[string]): boolean {
  return isAlive(pid) && (commandLine(pid)?.includes(program) ?? false);
}
