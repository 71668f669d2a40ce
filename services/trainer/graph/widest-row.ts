import { productOf } from "../../../lib/onnx/dimensions.ts";
import type { Graph } from "../../../lib/onnx/graph.ts";

/** How many elements the widest value of a graph has for each of its `rows`, the named dimension of its batch. */
export function widestRow(graph: Graph): number {
  return Math.max(1, ...elementsOfRow(graph));
}

/** How many elements all values of a graph have together for each of its rows. */
export function rowElements(graph: Graph): number {
  return elementsOfRow(graph).reduce((sum, count) => sum + count, 0);
}

function elementsOfRow({ nodes }: Graph): number[] {
  return nodes.flatMap(({ outputs }) => outputs.map(({ shape }) => perRow(productOf(shape))));
}

/** The factor of a size that is some multiple of the rows; 0 of another one. */
function perRow(size: number | string): number {
  if (size === "rows") return 1;
  return typeof size === "string" ? Number(/^\((\d+) · rows\)$/.exec(size)?.[1] ?? 0) : 0;
}
