import type { Graph } from "../../../lib/onnx/graph.ts";
import type { RowSource } from "../datasets/row-source.ts";
import { widestRow } from "../graph/widest-row.ts";
import { type Measured, nothingMeasured, withBatches } from "./measured.ts";
import { RowBuffer, type RowForms } from "./row-buffer.ts";
import type { RuntimeTensors } from "./runtime.ts";
import type { Sessions } from "./sessions.ts";

/** Rows measured in one call of the runtime, at most. */
const rowsMax = 4096;

/** Elements of the widest tensor of one call, at most; one row may have more. */
const elementsMax = 2 ** 24;

/** Measures the loss of the rows that are held out. */
export class Evaluation {
  readonly #sessions: Sessions;
  readonly #rows: RowSource;
  readonly #buffer: RowBuffer;
  readonly #rowsPerCall: number;
  readonly #isStopped: () => boolean;
  #waitedMs = 0;

  constructor(sessions: Sessions, rowsPerCall: number, rows: RowSource, forms: RowForms, isStopped: () => boolean) {
    this.#sessions = sessions;
    this.#rows = rows;
    this.#isStopped = isStopped;
    this.#rowsPerCall = rowsPerCall;
    this.#buffer = new RowBuffer(forms, Math.min(rows.rowCount, rowsPerCall));
  }

  /** Milliseconds that it has waited for data. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** `undefined` where no rows are held out, and after a stop. */
  async measure(results: RuntimeTensors): Promise<Measured | undefined> {
    const { rowCount } = this.#rows;
    if (rowCount === 0) return undefined;
    const reader = this.#rows.inOrder();
    try {
      let sum = nothingMeasured;
      while (sum.rowCount < rowCount) {
        if (this.#isStopped()) return undefined;
        const count = Math.min(this.#rowsPerCall, rowCount - sum.rowCount);
        const session = await this.#sessions.of([count]);
        const outputs = await session.run({ ...this.#buffer.read(reader, [count]), ...results });
        sum = withBatches(sum, count, outputs.loss!.elements, outputs.correct_count?.elements);
      }
      return sum;
    } finally {
      this.#waitedMs += reader.waitedMs;
      reader.close();
    }
  }
}

/** How many rows of a graph are measured in one call of the runtime, at most. */
export function evaluationRowsMax(graph: Graph): number {
  return Math.max(1, Math.min(rowsMax, Math.floor(elementsMax / widestRow(graph))));
}
