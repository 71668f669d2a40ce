import { product } from "../../../../lib/onnx/shapes.ts";
import type { RowElements } from "../../datasets/row-source.ts";
import type { RowForms } from "../row-buffer.ts";
import type { ShardLayout } from "./shard-layout.ts";

/** What the threads of a training see together. One of them tells the others what to do, and waits until they have done it. */
export interface ShardMemory {
  /** See {@link places}. */
  readonly control: Int32Array;
  /** The batch. */
  readonly features: RowElements;
  readonly targets: RowElements;
  /** The step's numbers, in the order of their names; then the factor that bounds the length of gradients. */
  readonly numbers: Float32Array;
  /** All that moves, by the layout; what are no parameters is only current after `publish`. */
  readonly state: Float32Array;
  /** What each thread has learned, by the layout's parameters. */
  readonly slopes: readonly Float32Array[];
  /** Of each thread: its share of the loss, its right answers, the squares of its part of the gradients. */
  readonly measured: Float32Array;
}

/** Places in `control`: how many orders were given, how many of the last one's are done, what it is, whether a thread has failed, rows, steps before. */
export const places = { orders: 0, done: 1, order: 2, failed: 3, rows: 4, steps: 5 } as const;

/** What all threads are told to do at once. */
export const orders = ["learn", "square", "move", "publish", "end"] as const;
export type Order = (typeof orders)[number];

/** Numbers of each thread in `measured`. */
export const measuredCount = 3;

export function shardMemory(
  layout: ShardLayout,
  forms: RowForms,
  rowCountMax: number,
  numberCount: number,
): ShardMemory {
  const floats = (length: number) => new Float32Array(new SharedArrayBuffer(4 * length));
  const rows = ({ dataType, rowShape }: Pick<RowForms["targets"], "dataType" | "rowShape">) => {
    const memory = new SharedArrayBuffer(4 * rowCountMax * product(rowShape));
    return dataType === "FP32" ? new Float32Array(memory) : new Int32Array(memory);
  };
  return {
    control: new Int32Array(new SharedArrayBuffer(4 * Object.keys(places).length)),
    features: rows(forms.input),
    targets: rows(forms.targets),
    numbers: floats(numberCount + 1),
    state: floats(layout.length),
    slopes: layout.parts.map(() => floats(layout.parameterLength)),
    measured: floats(measuredCount * layout.parts.length),
  };
}
