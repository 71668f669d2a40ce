import { join } from "node:path";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import { jobName, parseArtifactName } from "../../../lib/resource-names.ts";
import type { PredictedFile } from "../job-process/task-host.ts";
import type { Running } from "../queue/job-attempt.ts";
import type { WorkParts } from "./work-rules.ts";

/**
 * Keeps the finished parts of a job's predictions in the registry, one after the other: each becomes an artifact, the job holds it, and its
 * record names it. One that cannot be kept would be predicted again by another attempt; this one goes on.
 */
export class PredictedParts {
  readonly #parts: Pick<WorkParts, "catalogue" | "store" | "holdMs">;
  readonly #running: Pick<Running, "job" | "tell" | "signal">;
  readonly #version: string;
  readonly #artifacts = new Map<number, string>();
  #keeping: Promise<void> = Promise.resolve();

  constructor(
    parts: Pick<WorkParts, "catalogue" | "store" | "holdMs">,
    running: Pick<Running, "job" | "tell" | "signal">,
    version: string,
  ) {
    this.#parts = parts;
    this.#running = running;
    this.#version = version;
  }

  /** The files of the parts that earlier attempts have finished, written to a folder; without those that the registry has lost. */
  async restored(folder: string): Promise<ReadonlyMap<number, string>> {
    const { job, signal, tell } = this.#running;
    const files = new Map<number, string>();
    for (const [index, artifact] of job.predicted?.parts ?? []) {
      const path = join(folder, `part-${index}.parquet`);
      try {
        await this.#hold(artifact);
        await this.#parts.catalogue.save(parseArtifactName(artifact), path, this.#onBehalf);
      } catch (failure) {
        if (signal.aborted || (failure instanceof ServiceError && failure.status === "UNAVAILABLE")) throw failure;
        tell("warn", `part ${index} is lost, so it is predicted again: ${messageOf(failure)}`);
        continue;
      }
      this.#artifacts.set(index, artifact);
      files.set(index, path);
    }
    if (files.size > 0) tell("info", `resumed behind ${files.size} parts`);
    return files;
  }

  /** Keeps a part, in the background; its file stays. */
  add(part: PredictedFile): void {
    const { index } = part;
    this.#keeping = this.#keeping
      .then(() => this.#keep(part))
      .catch((failure) => this.#running.tell("warn", `part ${index} cannot be kept: ${messageOf(failure)}`));
  }

  /** Settles once every part is kept, or could not be. */
  async settled(): Promise<void> {
    await this.#keeping;
  }

  /** Lets go of all parts; what the registry does not hear expires by itself. */
  async release(): Promise<void> {
    const { job, tell } = this.#running;
    for (const artifact of this.#artifacts.values()) {
      await this.#parts.catalogue
        .release(artifact, jobName(job.id), this.#onBehalf)
        .catch((failure) => tell("warn", `${artifact} stays held until its hold expires: ${messageOf(failure)}`));
    }
  }

  async #keep({ index, path, doneRows, allRows }: PredictedFile): Promise<void> {
    const { catalogue, store } = this.#parts;
    const artifact = await catalogue.upload(path, this.#onBehalf);
    await this.#hold(artifact);
    this.#artifacts.set(index, artifact);
    await store.keepPredicted(this.#running.job, { version: this.#version, parts: [...this.#artifacts] });
    this.#running.tell("info", `part ${index} is kept: ${doneRows} of ${allRows} rows are predicted`);
  }

  #hold(artifact: string): Promise<void> {
    const { catalogue, holdMs } = this.#parts;
    return catalogue.hold(artifact, jobName(this.#running.job.id), holdMs, this.#onBehalf);
  }

  get #onBehalf() {
    return { requestId: this.#running.job.requestId };
  }
}
