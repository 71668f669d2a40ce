import type { Graph } from "../../../lib/onnx/graph.ts";
import type { RowElements, RowSource } from "../datasets/row-source.ts";
import { widestRow } from "../graph/widest-row.ts";
import type { Measurement, MetricCounter } from "../metrics/metric-counter.ts";
import { RowBuffer, type RowForms } from "./row-buffer.ts";
import type { RuntimeTensors } from "./runtime.ts";
import type { Sessions } from "./sessions.ts";

/** Rows measured in one call of the runtime, at most. */
const rowsMax = 4096;

/** Elements of the widest tensor of one call, at most; one row may have more. */
const elementsMax = 2 ** 24;

/** What the rows that are held out come to. */
export interface Held {
  /** The mean over rows. */
  readonly loss: number;
  readonly measurement: Measurement;
}

/** Measures the loss and the metrics of the rows that are held out. */
export class Evaluation {
  readonly #sessions: Sessions;
  readonly #rows: RowSource;
  readonly #buffer: RowBuffer;
  readonly #rowsPerCall: number;
  readonly #counter: () => MetricCounter;
  readonly #isStopped: () => boolean;
  #waitedMs = 0;

  /** `counter` makes one that takes the scores of the graph. */
  constructor(
    sessions: Sessions,
    rowsPerCall: number,
    rows: RowSource,
    forms: RowForms,
    counter: () => MetricCounter,
    isStopped: () => boolean,
  ) {
    this.#sessions = sessions;
    this.#rows = rows;
    this.#counter = counter;
    this.#isStopped = isStopped;
    this.#rowsPerCall = rowsPerCall;
    this.#buffer = new RowBuffer(forms, Math.min(rows.rowCount, rowsPerCall));
  }

  /** Milliseconds that it has waited for data. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** `undefined` where no rows are held out, and after a stop. */
  async measure(results: RuntimeTensors): Promise<Held | undefined> {
    const { rowCount } = this.#rows;
    if (rowCount === 0) return undefined;
    const counter = this.#counter();
    const reader = this.#rows.inOrder();
    let lossSum = 0;
    try {
      for (let done = 0; done < rowCount; done += this.#rowsPerCall) {
        if (this.#isStopped()) return undefined;
        const count = Math.min(this.#rowsPerCall, rowCount - done);
        const session = await this.#sessions.of([count]);
        const rows = this.#buffer.read(reader, [count]);
        const { loss, scores } = await session.run({ ...rows, ...results });
        lossSum += loss!.elements[0]! * count;
        counter.add(scores!.elements as Float32Array, rows.targets.elements as RowElements);
      }
      return { loss: lossSum / rowCount, measurement: counter.measured() };
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
