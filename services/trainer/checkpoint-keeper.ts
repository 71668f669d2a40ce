import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { messageOf, ServiceError } from "../../lib/errors.ts";
import { jobName, parseArtifactName } from "../../lib/resource-names.ts";
import type { Catalogue } from "./catalogue.ts";
import type { KeptCheckpoint } from "./engine/checkpoints.ts";
import type { JobCheckpoint } from "./jobs/job.ts";
import type { Running } from "./queue/job-attempt.ts";
import type { JobStore } from "./queue/job-store.ts";

/** What checkpoints are kept with. */
export interface CheckpointKeeperParts {
  readonly catalogue: Pick<Catalogue, "upload" | "save" | "hold" | "release">;
  readonly store: Pick<JobStore, "keepCheckpoint">;
  /** How long the registry keeps a checkpoint of a job that nothing more is heard of, in milliseconds. */
  readonly holdMs: number;
  readonly clock: Clock;
}

/**
 * Keeps the state of one job in the registry, so that any worker can go on from there: the file becomes an artifact, the job holds it, its
 * record names it, and only then the one before is let go. One at a time: what comes while one is on its way replaces what was waiting. Of
 * one that cannot be kept watchers are told; the last good one stays.
 */
export class CheckpointKeeper {
  readonly #parts: CheckpointKeeperParts;
  readonly #running: Pick<Running, "job" | "tell" | "log">;
  readonly #giveUp = new AbortController();
  #kept: JobCheckpoint | undefined;
  #waiting: KeptCheckpoint | undefined;
  #keeping: Promise<void> | undefined;

  constructor(parts: CheckpointKeeperParts, running: Pick<Running, "job" | "tell" | "log">) {
    this.#parts = parts;
    this.#running = running;
    this.#kept = running.job.checkpoint;
  }

  /**
   * The file of the state that the job goes on from, written to a folder; undefined where there is none, or where the registry has lost
   * it. Throws UNAVAILABLE where the registry or the disk cannot be had.
   */
  async restored(folder: string, signal: AbortSignal): Promise<string | undefined> {
    const { catalogue, holdMs } = this.#parts;
    const { checkpoint, id, requestId } = this.#running.job;
    if (checkpoint === undefined) return undefined;
    const path = join(folder, "resumed");
    try {
      await catalogue.hold(checkpoint.artifact, jobName(id), holdMs, { requestId, signal });
      await catalogue.save(parseArtifactName(checkpoint.artifact), path, { requestId, signal });
      return path;
    } catch (failure) {
      if (signal.aborted || (failure instanceof ServiceError && failure.status === "UNAVAILABLE")) throw failure;
      this.#running.tell(
        "warn",
        `the checkpoint of step ${checkpoint.step} is lost, so it begins anew: ${messageOf(failure)}`,
      );
      return undefined;
    }
  }

  /** The last one that is kept. */
  get kept(): JobCheckpoint | undefined {
    return this.#kept;
  }

  /** Takes over a file and keeps what is in it, in the background. */
  add(checkpoint: KeptCheckpoint): void {
    const replaced = this.#waiting;
    this.#waiting = checkpoint;
    if (replaced !== undefined) void remove(replaced.path);
    this.#keeping ??= this.#keepAll();
  }

  /** Settles once the last one is kept, or could not be. */
  async settled(): Promise<void> {
    await this.#keeping;
  }

  /** Gives up what is on its way; settles when nothing is. */
  async stop(): Promise<void> {
    this.#giveUp.abort(new ServiceError("CANCELLED", "no checkpoint is needed any more"));
    await this.#keeping;
  }

  async #keepAll(): Promise<void> {
    while (this.#waiting !== undefined) {
      const checkpoint = this.#waiting;
      this.#waiting = undefined;
      await this.#keep(checkpoint).catch((failure) => this.#tellLost(checkpoint, failure));
      await remove(checkpoint.path);
    }
    this.#keeping = undefined;
  }

  async #keep({ path, step }: KeptCheckpoint): Promise<void> {
    const { catalogue, store, holdMs, clock } = this.#parts;
    const { job, log } = this.#running;
    const [holder, onBehalf] = [jobName(job.id), { requestId: job.requestId, signal: this.#giveUp.signal }];
    onBehalf.signal.throwIfAborted();
    const artifact = await catalogue.upload(path, onBehalf);
    await catalogue.hold(artifact, holder, holdMs, onBehalf);
    const checkpoint = { step, timeMs: clock.now(), artifact };
    const isKept = await store.keepCheckpoint(job, checkpoint);
    const letGo = isKept ? this.#kept?.artifact : artifact;
    if (isKept) {
      this.#kept = checkpoint;
      log.info({ step, artifact }, "checkpoint kept");
    }
    if (letGo !== undefined && letGo !== this.#kept?.artifact) await catalogue.release(letGo, holder, onBehalf);
  }

  #tellLost({ step }: KeptCheckpoint, failure: unknown): void {
    if (this.#giveUp.signal.aborted) return;
    const stays = this.#kept === undefined ? "there is none before" : `that of step ${this.#kept.step} stays`;
    const text = `the checkpoint of step ${step} cannot be kept, ${stays}, and the job goes on: ${messageOf(failure)}`;
    this.#running.tell("warn", text);
  }
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true });
}
