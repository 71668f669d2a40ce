import { int, ints, string } from "./attributes.ts";
import { NodeList, namesIn } from "./channel-blocks.ts";
import type { Graph, Node, Shape, Value } from "./graph.ts";
import { intOf, stringOf } from "./operators/inference.ts";
import { windowsOf } from "./operators/windows.ts";
import { product } from "./shapes.ts";
import type { UniqueNames } from "./unique-names.ts";
import { withSubgraphs } from "./uses.ts";

/** Places of an output, along each axis, from which on the order of the weights costs less than it wins. */
const placesMin = 8;

/**
 * A graph whose convolutions of two axes run on channels in blocks of so many, in its subgraphs too. The runtime does that itself where
 * weights are constants, by code that takes 0.6 to 0.8 of the time; here for weights that change, which are put in order at each run.
 * What has few places, one tap, groups, or channels that are no whole blocks stays as it is; but fewer channels than a block may come in.
 */
export function withBlockedConvolutions(graph: Graph, block: number): Graph {
  return blocked(graph, block, namesIn(graph));
}

function blocked(graph: Graph, block: number, names: UniqueNames): Graph {
  const list = new NodeList(names);
  for (const node of graph.nodes) {
    const attributes = withSubgraphs(node.attributes, (inner) => blocked(inner, block, names));
    if (isBlocked(node, block)) inBlocks(node, block, list);
    else list.nodes.push(attributes === node.attributes ? node : { ...node, attributes });
  }
  return { ...graph, initializers: [...graph.initializers, ...list.initializers], nodes: list.nodes };
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
    Number(outputs) % block === 0 &&
    (Number(channels) % block === 0 || Number(channels) < block) &&
    product(kernel) > 1 &&
    y!.shape.slice(2).every((size) => typeof size === "number" && size >= placesMin)
  );
}

/** Appends a Conv as the runtime's own, with what its operands and its output are put in order by. */
function inBlocks({ name, inputs, outputs: [y], attributes }: Node, block: number, list: NodeList): void {
  const [x, weight, ...bias] = inputs as readonly [Value, Value, ...Value[]];
  const [outputs, channels, ...kernel] = weight.shape.map(Number) as [number, number, ...number[]];
  const value = (part: string, shape: Shape) => list.value(`${name}.${part}`, shape);
  // Fewer channels than a block are taken one by one, in the order that they have.
  const isFew = channels < block;
  const together = isFew ? 1 : block;
  const apart = [outputs / block, block, channels / together, together, product(kernel)] as const;
  const turned = [0, 2, 4, 3, 1] as const;
  const turnedShape = turned.map((axis) => apart[axis]);
  const split = list.reshape(weight, value("weight", apart));
  const byBlock = list.append("Transpose", [split], value("weight", turnedShape), { perm: ints([...turned]) });
  const ordered = list.reshape(byBlock, value("weight", [outputs, channels, ...kernel]));
  const taken = isFew ? x : list.blocked("ReorderInput", [x], value("x", x.shape));
  const windows = windowsOf(attributes, x.shape.slice(2), kernel);
  const given = list.blocked("Conv", [taken, ordered, ...bias], value("y", y!.shape), {
    auto_pad: string("NOTSET"),
    kernel_shape: ints(kernel),
    strides: ints(windows.map(({ stride }) => stride)),
    dilations: ints(windows.map(({ dilation }) => dilation)),
    pads: ints([...windows.map(({ before }) => before), ...windows.map(({ after }) => after)]),
  });
  list.blocked("ReorderOutput", [given], y!, { channels: int(outputs) });
}
