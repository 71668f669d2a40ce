import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import { type Death, deathsIn, recentDeaths, suspectsOf, withDeaths } from "./deaths.ts";
import type { Isolation } from "./isolation.ts";
import { readRunMarks, removeRunMarks } from "./run-mark.ts";

/** What is needed to decide. */
export interface IsolationsOptions {
  /** Where the node remembers; it is made where it is missing. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Decides what sessions run in. Models that have brought the node down, or have left a thread of it behind, are no longer run in its
 * threads, whatever is set: what they do next, they do to their own process.
 */
export class Isolations {
  /** Where the threads of this process leave their marks. */
  readonly marksFolder: string;
  readonly #deathsPath: string;
  readonly #clock: Clock;
  readonly #log: Log;
  /** The SHA-256 of their ONNX files. */
  #distrusted = new Set<string>();

  constructor({ folder, clock, log }: IsolationsOptions) {
    this.marksFolder = join(folder, "running");
    this.#deathsPath = join(folder, "deaths.json");
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Learns from what an earlier process of this node has left behind. To be called before the first thread starts. What cannot be
   * read or kept is told to the log: a node serves without.
   */
  async open(): Promise<void> {
    const known = await this.#readDeaths();
    const found = await this.#readMarks();
    const deaths = recentDeaths(withDeaths(known, found), this.#clock.now());
    this.#distrusted = new Set([...this.#distrusted, ...suspectsOf(deaths)]);
    if (found.length > 0) {
      const models = found.map(({ sha256 }) => sha256);
      const inProcesses = models.filter((sha256) => this.#distrusted.has(sha256));
      this.#log.warn({ models, inProcesses }, "the node had ended without stopping while it ran these models");
      await this.#writeDeaths(deaths);
    }
    await this.#removeMarks();
  }

  /** What the sessions of a model run in; `wanted` is what is set. */
  of(sha256: string, wanted: Isolation): Isolation {
    return this.#distrusted.has(sha256) ? "process" : wanted;
  }

  /** From now on the model runs in processes of its own, until the node stops. */
  distrust(sha256: string, why: string): void {
    if (this.#distrusted.has(sha256)) return;
    this.#distrusted.add(sha256);
    this.#log.error(
      { sha256, why },
      "a thread of the node was left behind; the model now runs in processes of its own",
    );
  }

  async #readDeaths(): Promise<readonly Death[]> {
    try {
      return deathsIn(await readFile(this.#deathsPath, "utf8"));
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== "ENOENT") {
        this.#log.error({ error: failure }, "earlier deaths of the node cannot be read and are forgotten");
      }
      return [];
    }
  }

  async #readMarks(): Promise<readonly Death[]> {
    try {
      await mkdir(this.marksFolder, { recursive: true });
      return await readRunMarks(this.marksFolder);
    } catch (failure) {
      this.#log.error({ error: failure }, "what ran when the node ended cannot be known");
      return [];
    }
  }

  /** Only now, so that a death is not forgotten where the node ends before it is written. */
  async #removeMarks(): Promise<void> {
    try {
      await removeRunMarks(this.marksFolder);
    } catch (failure) {
      this.#log.error({ error: failure }, "the marks of what ran when the node ended cannot be removed");
    }
  }

  async #writeDeaths(deaths: readonly Death[]): Promise<void> {
    const next = `${this.#deathsPath}.next`;
    try {
      await writeFile(next, JSON.stringify(deaths), { flush: true });
      await rename(next, this.#deathsPath);
    } catch (failure) {
      this.#log.error({ error: failure }, "the deaths of the node could not be kept on disk");
    }
  }
}
