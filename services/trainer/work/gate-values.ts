import { join } from "node:path";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import { parseArtifactName } from "../../../lib/resource-names.ts";
import { runTask } from "../job-process/run-task.ts";
import type { Gate, Rival } from "../jobs/gate.ts";
import type { PublishTarget } from "../jobs/publish-target.ts";
import type { MetricName } from "../metrics/metric-counter.ts";
import type { Running } from "../queue/job-attempt.ts";
import { taskLimits } from "./task-limits.ts";
import type { WorkParts } from "./work-rules.ts";

/** What a training has learned from, and what its job may take. */
type GateRows = Pick<PublishTarget, "data" | "datasetSha256" | "loss" | "limits">;

/** Measures versions by the metric of a gate, on its dataset or on the rows that the training has held out, each in a process of its own. */
export class GateValues {
  readonly #parts: WorkParts;
  readonly #running: Running;
  readonly #rows: GateRows;

  constructor(parts: WorkParts, running: Running, rows: GateRows) {
    this.#parts = parts;
    this.#running = running;
    this.#rows = rows;
  }

  /** Of a version; undefined where the metric is not defined for the rows. Throws what the evaluation does. */
  async of(version: string, { metric, dataset: own }: Gate): Promise<number | undefined> {
    const { catalogue, datasets, compute, processes, expandedBytesMax, clock } = this.#parts;
    const { job, signal } = this.#running;
    const { data, datasetSha256, loss, limits: told } = this.#rows;
    const onBehalf = { requestId: job.requestId, signal };
    return this.#parts.folders.during(job.id, async (folder) => {
      const dataset = join(folder, "dataset");
      await datasets.place(own === undefined ? datasetSha256 : parseArtifactName(own), dataset, onBehalf);
      const files = await catalogue.saveModelFiles(version, "gate", folder, onBehalf);
      const limits = taskLimits(told, this.#parts, this.#running);
      const task = {
        kind: "evaluate",
        compute: { ...compute, memoryBytesMax: limits.memoryBytesMax },
        ...{ dataset, folder, expandedBytesMax, version: files, loss, rowsPerCall, data },
        rows: own === undefined ? "held_out" : "all",
      } as const;
      const { values } = await runTask(task, { processes, limits, signal, clock, onNews: () => undefined });
      return values[metric.replace("validation_", "") as MetricName];
    });
  }

  /** Of versions that an alias points at. One that cannot be measured on the rows, because it takes others, has no value. */
  async ofRivals(versions: readonly string[], gate: Gate): Promise<readonly Rival[]> {
    const rivals: Rival[] = [];
    for (const version of versions) {
      const value = await this.of(version, gate).catch((failure: unknown) => {
        if (!(failure instanceof ServiceError && unfit.has(failure.reason))) throw failure;
        this.#running.tell("warn", `${version} cannot be compared: ${messageOf(failure)}`);
        return undefined;
      });
      rivals.push({ version, value });
    }
    return rivals;
  }
}

/** Rows of one call of the runtime. */
const rowsPerCall = 256;
const unfit: ReadonlySet<string> = new Set(["DATASET_INVALID", "SPEC_INVALID", "ARTIFACT_INVALID"]);
