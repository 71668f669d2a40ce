import { int, ints, string } from "./attributes.ts";
import type { Attributes, Graph, Node, OperatorSet, Shape, Value } from "./graph.ts";
import { intOf, stringOf } from "./operators/inference.ts";
import { windowsOf } from "./operators/windows.ts";
import { product } from "./shapes.ts";
import { UniqueNames } from "./unique-names.ts";
import { subgraphsOf, withSubgraphs } from "./uses.ts";

/** The runtime's own operators on channels in blocks; a runtime may lack them. */
const blockedSet: OperatorSet = { domain: "com.microsoft.nchwc", version: 1 };

/** Places of an output, along each axis, from which on the order of the weights costs less than it wins. */
const placesMin = 8;

/**
 * A graph whose convolutions of two axes run on channels in blocks of so many, in its subgraphs too. The runtime does that itself where
 * weights are constants, by code that takes 0.6 to 0.8 of the time; here for weights that change, which are put in order at each run.
 * What has few places, one tap, groups, or channels that are no whole blocks stays as it is.
 */
export function withBlockedConvolutions(graph: Graph, block: number): Graph {
  const names = new UniqueNames();
  for (const name of namesIn(graph)) names.of(name);
  return blocked(graph, block, names);
}

/** The graph that tells by its output `y`, of x [1, 64, 1, 2] with the elements 0 to 127, how many channels are a block: the place of 1. */
export function channelBlockProbe(): Graph {
  const x: Value = { name: "x", dataType: "FP32", shape: [1, 64, 1, 2] };
  const nodes: Node[] = [];
  const ordered = appended(nodes, "ReorderInput", [x], { ...x, name: "ordered" }, {}, blockedSet);
  const y = appended(nodes, "Identity", [ordered], { ...x, name: "y" });
  return { name: "probe", inputs: [x], outputs: [y], initializers: [], nodes };
}

function blocked(graph: Graph, block: number, names: UniqueNames): Graph {
  const initializers = [...graph.initializers];
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const attributes = withSubgraphs(node.attributes, (inner) => blocked(inner, block, names));
    if (isBlocked(node, block)) inBlocks(node, block, names, nodes, initializers);
    else nodes.push(attributes === node.attributes ? node : { ...node, attributes });
  }
  return { ...graph, initializers, nodes };
}

function isBlocked({ operator, set, inputs, outputs: [y], attributes }: Node, block: number): boolean {
  if (operator !== "Conv" || set !== undefined) return false;
  const [x, weight] = inputs as readonly [Value, Value];
  const [outputs, channels, ...kernel] = weight.shape;
  const isKnown = weight.shape.every((size) => typeof size === "number") && weight.elements === undefined;
  return (
    isKnown &&
    [x, weight].every(({ dataType, shape, unknown }) => dataType === "FP32" && shape.length === 4 && !unknown) &&
    intOf(attributes, "group", 1) === 1 &&
    stringOf(attributes, "auto_pad", "NOTSET") === "NOTSET" &&
    [outputs, channels].every((count) => Number(count) % block === 0) &&
    product(kernel) > 1 &&
    y!.shape.slice(2).every((size) => typeof size === "number" && size >= placesMin)
  );
}

/** Appends a Conv as the runtime's own, with what its operands and its output are put in order by. */
function inBlocks(
  { name, inputs, outputs: [y], attributes }: Node,
  block: number,
  names: UniqueNames,
  nodes: Node[],
  initializers: Value[],
): void {
  const [x, weight, ...bias] = inputs as readonly [Value, Value, ...Value[]];
  const [outputs, channels, ...kernel] = weight.shape.map(Number) as [number, number, ...number[]];
  const value = (part: string, shape: Shape): Value => ({ name: names.of(`${name}.${part}`), dataType: "FP32", shape });
  const reshaped = (from: Value, shape: readonly number[]) => {
    const elements = BigInt64Array.from(shape, BigInt);
    const sizes: Value = { ...value("sizes", [shape.length]), dataType: "INT64", elements };
    initializers.push(sizes);
    return appended(nodes, "Reshape", [from, sizes], value("weight", shape));
  };
  const apart = [outputs / block, block, channels / block, block, product(kernel)] as const;
  const turned = [0, 2, 4, 3, 1] as const;
  const turnedShape = turned.map((axis) => apart[axis]);
  const perm = { perm: ints([...turned]) };
  const byBlock = appended(nodes, "Transpose", [reshaped(weight, apart)], value("weight", turnedShape), perm);
  const ordered = reshaped(byBlock, [outputs, channels, ...kernel]);
  const taken = appended(nodes, "ReorderInput", [x], value("x", x.shape), {}, blockedSet);
  const windows = windowsOf(attributes, x.shape.slice(2), kernel);
  const given = appended(
    nodes,
    "Conv",
    [taken, ordered, ...bias],
    value("y", y!.shape),
    {
      auto_pad: string("NOTSET"),
      kernel_shape: ints(kernel),
      strides: ints(windows.map(({ stride }) => stride)),
      dilations: ints(windows.map(({ dilation }) => dilation)),
      pads: ints([...windows.map(({ before }) => before), ...windows.map(({ after }) => after)]),
    },
    blockedSet,
  );
  appended(nodes, "ReorderOutput", [given], y!, { channels: int(outputs) }, blockedSet);
}

/** Appends a node named after its output, which it gives. */
function appended(
  nodes: Node[],
  operator: string,
  inputs: readonly Value[],
  output: Value,
  attributes: Attributes = {},
  set?: OperatorSet,
): Value {
  nodes.push({ name: output.name, operator, inputs, outputs: [output], attributes, ...(set && { set }) });
  return output;
}

function namesIn({ inputs, initializers, nodes }: Graph): readonly string[] {
  const own = [...inputs, ...initializers, ...nodes.flatMap((node) => [node, ...node.outputs])];
  return [...own.map(({ name }) => name), ...nodes.flatMap(subgraphsOf).flatMap(namesIn)];
}
