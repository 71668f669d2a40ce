import { ServiceError } from "../../lib/errors.ts";
import type { TrainSpec__Output } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { parseVersionName } from "../../lib/resource-names.ts";
import type { Catalogue, ModelPaths, OnBehalf } from "./catalogue.ts";
import type { JobFolders } from "./job-folders.ts";

/** How many of them there may be. */
export interface InitialModelsBounds {
  /** Lent at the same time. */
  readonly countMax: number;
  /** Calls that wait. */
  readonly waitingMax: number;
}

/** The versions that jobs begin with, fetched a few at a time, since each may be large. */
export class InitialModels {
  readonly #catalogue: Pick<Catalogue, "saveModelFiles">;
  readonly #folders: Pick<JobFolders, "during">;
  readonly #bounds: InitialModelsBounds;
  #lentCount = 0;
  /** Those who wait for a turn, the first first. */
  readonly #waiting = new Set<() => void>();

  constructor(
    catalogue: Pick<Catalogue, "saveModelFiles">,
    folders: Pick<JobFolders, "during">,
    bounds: InitialModelsBounds,
  ) {
    this.#catalogue = catalogue;
    this.#folders = folders;
    this.#bounds = bounds;
  }

  /**
   * Lends the files of the version that a job begins with for as long as `use` goes on, undefined where it has none; waits for a turn where
   * as many as may be are lent already. Throws REQUEST_INVALID for a name that is none of a version, QUEUE_FULL where too many wait,
   * the signal's reason, and as `Catalogue.saveModelFiles` and `use` do.
   */
  async during<Result>(
    { initialVersion }: Pick<TrainSpec__Output, "initialVersion">,
    onBehalf: OnBehalf,
    use: (initial: ModelPaths | undefined) => Promise<Result>,
  ): Promise<Result> {
    if (!initialVersion) return use(undefined);
    parseVersionName(initialVersion, "initial_version");
    await this.#turn(onBehalf.signal);
    try {
      return await this.#folders.during("initial", async (folder) =>
        use(await this.#catalogue.saveModelFiles(initialVersion, "initial_version", folder, onBehalf)),
      );
    } finally {
      this.#giveBack();
    }
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#lentCount < this.#bounds.countMax) {
      this.#lentCount++;
      return;
    }
    if (this.#waiting.size >= this.#bounds.waitingMax) throw tooMany(this.#bounds);
    await new Promise<void>((settle, reject) => {
      const giveUp = () => {
        this.#waiting.delete(turn);
        reject(signal?.reason);
      };
      const turn = () => {
        signal?.removeEventListener("abort", giveUp);
        settle();
      };
      this.#waiting.add(turn);
      signal?.addEventListener("abort", giveUp);
    });
  }

  /** The turn goes to whoever has waited longest. */
  #giveBack(): void {
    const [first] = this.#waiting;
    if (first === undefined) {
      this.#lentCount--;
      return;
    }
    this.#waiting.delete(first);
    first();
  }
}

function tooMany({ countMax, waitingMax }: InitialModelsBounds): ServiceError {
  const seen = `${waitingMax} calls wait for their initial_version to be read, ${countMax} at a time`;
  const message = `${seen}; needed: fewer, or a larger AMAAS_TRAINER_INITIAL_VERSIONS_MAX or AMAAS_TRAINER_INITIAL_VERSIONS_WAITING_MAX`;
  return new ServiceError("QUEUE_FULL", message, { retryDelayMs: 1000 });
}
