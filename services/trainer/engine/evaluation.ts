import type { Graph } from "../../../lib/onnx/graph.ts";
import { widestRow } from "../graph/widest-row.ts";
import { type RowForms, RowGatherer } from "./batches.ts";
import type { RuntimeTensors } from "./runtime.ts";
import type { Sessions } from "./sessions.ts";
import type { Measured } from "./stepper.ts";
import type { TrainingData } from "./training-plan.ts";

/** Rows measured in one call of the runtime, at most. */
const rowsMax = 4096;

/** Elements of the widest tensor of one call, at most; one row may have more. */
const elementsMax = 2 ** 24;

/** Measures the loss of the rows that are held out. */
export class Evaluation {
  readonly #sessions: Sessions;
  readonly #rows: Int32Array;
  readonly #gatherer: RowGatherer;
  readonly #rowsPerCall: number;
  readonly #isStopped: () => boolean;

  constructor(
    sessions: Sessions,
    rowsPerCall: number,
    data: TrainingData,
    forms: RowForms,
    rows: Int32Array,
    isStopped: () => boolean,
  ) {
    this.#sessions = sessions;
    this.#rows = rows;
    this.#isStopped = isStopped;
    this.#rowsPerCall = rowsPerCall;
    this.#gatherer = new RowGatherer(data, forms, Math.min(rows.length, rowsPerCall));
  }

  /** `undefined` where no rows are held out, and after a stop. */
  async measure(results: RuntimeTensors): Promise<Measured | undefined> {
    if (this.#rows.length === 0) return undefined;
    let [lossSum, correctCount]: [number, number | undefined] = [0, undefined];
    for (let start = 0; start < this.#rows.length; start += this.#rowsPerCall) {
      if (this.#isStopped()) return undefined;
      const rows = this.#rows.subarray(start, start + this.#rowsPerCall);
      const session = await this.#sessions.of([rows.length]);
      const outputs = await session.run({ ...this.#gatherer.gather(rows, [rows.length]), ...results });
      lossSum += outputs.loss.elements[0] * rows.length;
      if (outputs.correct_count) correctCount = (correctCount ?? 0) + outputs.correct_count.elements[0];
    }
    return { rowCount: this.#rows.length, lossSum, correctCount };
  }
}

/** How many rows of a graph are measured in one call of the runtime, at most. */
export function evaluationRowsMax(graph: Graph): number {
  return Math.max(1, Math.min(rowsMax, Math.floor(elementsMax / widestRow(graph))));
}
