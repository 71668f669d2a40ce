import { productOf } from "../../../lib/onnx/dimensions.ts";
import type { Graph } from "../../../lib/onnx/graph.ts";

/** How many elements the widest value of a graph has for each of its `rows`, the named dimension of its batch. */
export function widestRow(graph: Graph): number {
  const values = graph.nodes.flatMap(({ outputs }) => outputs);
  return Math.max(1, ...values.map(({ shape }) => perRow(productOf(shape))));
}

/** The factor of a size that is some multiple of the rows; 0 of another one. */
function perRow(size: number | string): number {
  if (size === "rows") return 1;
  return typeof size === "string" ? Number(/^\((\d+) · rows\)$/.exec(size)?.[1] ?? 0) : 0;
}
