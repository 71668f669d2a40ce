import { int } from "./attributes.ts";
import { NodeList, namesIn } from "./channel-blocks.ts";
import type { Dimension, Graph, Node, Value } from "./graph.ts";
import { intOf, intsOf } from "./operators/inference.ts";
import { product } from "./shapes.ts";
import type { UniqueNames } from "./unique-names.ts";
import { usedBy, withSubgraphs } from "./uses.ts";

/**
 * A graph in which a Transpose that keeps its first and its last axis is a Gather of rows along the axes between, in its subgraphs too, where
 * rows are long: the runtime has code of one thread for the former, and its threads share the latter. What is split afterwards, such as
 * queries, keys and values of attention, is gathered part by part.
 */
export function withGatheredTransposes(graph: Graph): Graph {
  return rewritten(graph, namesIn(graph));
}

/** Elements of a row from which on the runtime copies it faster as a whole. */
const rowSizeMin = 16;

/** Rows, at most: their order is in the graph. */
const rowCountMax = 2 ** 16;

/** Rows of `x` along one axis, and in which order they come out; `order` has the shape of the axes that these are in then. */
interface Gathered {
  readonly x: Value;
  readonly rowSize: Dimension;
  readonly order: Order;
}

interface Order {
  readonly shape: readonly number[];
  readonly places: Int32Array;
}

function rewritten(graph: Graph, names: UniqueNames): Graph {
  const list = new NodeList(names);
  const lone = usedOnce(graph);
  const apart = new Map<Value, Gathered>();
  for (const node of graph.nodes) {
    const [x, y] = [node.inputs[0]!, node.outputs[0]!];
    const gathered = transposedRows(node);
    const taker = lone.get(y);
    if (gathered !== undefined && taker !== undefined && isSplitBetween(taker)) apart.set(y, gathered);
    else if (gathered !== undefined) appendGather(list, gathered, y);
    else if (node.operator === "Split" && apart.has(x)) {
      for (const [output, order] of parts(node, apart.get(x)!.order))
        appendGather(list, { ...apart.get(x)!, order }, output);
    } else {
      const attributes = withSubgraphs(node.attributes, (inner) => rewritten(inner, names));
      list.nodes.push(attributes === node.attributes ? node : { ...node, attributes });
    }
  }
  return { ...graph, nodes: list.nodes, initializers: [...graph.initializers, ...list.initializers] };
}

/** The only node that takes a value, of those that are taken once. */
function usedOnce({ nodes, outputs }: Graph): ReadonlyMap<Value, Node> {
  const takers = new Map<Value, Node>();
  const others = new Set(outputs);
  for (const node of nodes) {
    for (const value of usedBy(node)) {
      if (takers.has(value)) others.add(value);
      takers.set(value, node);
    }
  }
  for (const value of others) takers.delete(value);
  return takers;
}

/** What a Transpose gathers; undefined for another node. */
function transposedRows({ operator, set, inputs, attributes }: Node): Gathered | undefined {
  const [x] = inputs as readonly [Value];
  if (operator !== "Transpose" || set !== undefined || x.unknown !== undefined) return undefined;
  const last = x.shape.length - 1;
  const perm = intsOf(attributes, "perm");
  const rowSize = x.shape[last]!;
  const between = x.shape.slice(1, last);
  const isKept = perm !== undefined && last > 2 && perm[0] === 0 && perm[last] === last;
  if (!isKept || !between.every(isNumber) || !isNumber(rowSize) || rowSize < rowSizeMin) return undefined;
  const rowCount = product(between);
  // Rows of nothing could not be told from those of a number of rows that is not known.
  if (rowCount === 0 || rowCount > rowCountMax) return undefined;
  return {
    x,
    rowSize,
    order: transposed(
      between,
      perm.slice(1, last).map((axis) => axis - 1),
    ),
  };
}

/** In which order elements of the shape come out of a Transpose. */
function transposed(shape: readonly number[], perm: readonly number[]): Order {
  const steps = shape.map((_, axis) => product(shape.slice(axis + 1)));
  const places = perm.reduce(
    (before, axis) =>
      before.flatMap((start) => Array.from({ length: shape[axis]! }, (_, at) => start + at * steps[axis]!)),
    [0],
  );
  return { shape: perm.map((axis) => shape[axis]!), places: Int32Array.from(places) };
}

/** Whether a node splits one of the axes between the first and the last, in parts of known sizes. */
function isSplitBetween({ operator, set, inputs: [x], outputs, attributes }: Node): boolean {
  const axis = intOf(attributes, "axis", 0);
  const isBetween = axis > 0 && axis < x!.shape.length - 1;
  return operator === "Split" && set === undefined && isBetween && outputs.every(({ shape }) => isNumber(shape[axis]!));
}

/** The order of each part of what is split. */
function parts({ outputs, attributes }: Node, { shape, places }: Order): readonly (readonly [Value, Order])[] {
  const axis = intOf(attributes, "axis", 0) - 1;
  const inner = product(shape.slice(axis + 1));
  let start = 0;
  return outputs.map((output) => {
    const size = Number(output.shape[axis + 1]);
    const own = places.filter((_, place) => {
      const at = Math.floor(place / inner) % shape[axis]!;
      return at >= start && at < start + size;
    });
    start += size;
    return [output, { shape: shape.with(axis, size), places: own }];
  });
}

function appendGather(list: NodeList, { x, rowSize, order }: Gathered, y: Value): void {
  const rowCount = product(x.shape.slice(1, -1).map(Number));
  const rows = list.reshape(x, {
    ...list.value(`${y.name}.rows`, [x.shape[0]!, rowCount, rowSize]),
    dataType: x.dataType,
  });
  const places = list.constant({ dataType: "INT32", shape: order.shape, elements: order.places });
  list.append("Gather", [rows, places], y, { axis: int(1) });
}

function isNumber(size: Dimension): size is number {
  return typeof size === "number";
}
