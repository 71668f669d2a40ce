import type { Attributes, Graph, Node, OperatorSet, Shape, Value } from "./graph.ts";
import { UniqueNames } from "./unique-names.ts";
import { subgraphsOf } from "./uses.ts";

/** The runtime's own operators on channels in blocks; a runtime may lack them. */
const blockedSet: OperatorSet = { domain: "com.microsoft.nchwc", version: 1 };

/** The graph that tells by its output `y`, of x [1, 64, 1, 2] with the elements 0 to 127, how many channels are a block: the place of 1. */
export function channelBlockProbe(): Graph {
  const x: Value = { name: "x", dataType: "FP32", shape: [1, 64, 1, 2] };
  const nodes = new NodeList(new UniqueNames());
  const ordered = nodes.blocked("ReorderInput", [x], nodes.value("ordered", x.shape));
  const y = nodes.append("Identity", [ordered], { ...x, name: "y" });
  return { name: "probe", inputs: [x], outputs: [y], initializers: [], nodes: nodes.nodes };
}

/** The names of a graph and of all in it. */
export function namesIn(graph: Graph): UniqueNames {
  const names = new UniqueNames();
  for (const name of allNames(graph)) names.of(name);
  return names;
}

function allNames({ inputs, initializers, nodes }: Graph): readonly string[] {
  const own = [...inputs, ...initializers, ...nodes.flatMap((node) => [node, ...node.outputs])];
  return [...own.map(({ name }) => name), ...nodes.flatMap(subgraphsOf).flatMap(allNames)];
}

/** The nodes of a graph that is rewritten, and the constants that they need. */
export class NodeList {
  readonly nodes: Node[] = [];
  readonly initializers: Value[] = [];
  readonly #names: UniqueNames;

  constructor(names: UniqueNames) {
    this.#names = names;
  }

  /** A value of single precision that no node gives yet. */
  value(name: string, shape: Shape): Value {
    return { name: this.#names.of(name), dataType: "FP32", shape };
  }

  /** Appends a node named after its output, which it gives. */
  append(
    operator: string,
    inputs: readonly Value[],
    output: Value,
    attributes: Attributes = {},
    set?: OperatorSet,
  ): Value {
    this.nodes.push({ name: output.name, operator, inputs, outputs: [output], attributes, ...(set && { set }) });
    return output;
  }

  /** As `append`, of one of the runtime's own operators on blocks. */
  blocked(operator: string, inputs: readonly Value[], output: Value, attributes: Attributes = {}): Value {
    return this.append(operator, inputs, output, attributes, blockedSet);
  }

  /** Appends a Reshape to the output's shape, of which one size at most is not known. */
  reshape(from: Value, output: Value): Value {
    const elements = BigInt64Array.from(output.shape, (size) => (typeof size === "number" ? BigInt(size) : -1n));
    return this.append(
      "Reshape",
      [from, this.constant({ dataType: "INT64", shape: [elements.length], elements })],
      output,
    );
  }

  constant(tensor: Omit<Value, "name">): Value {
    const constant = { ...tensor, name: this.#names.of("constant") };
    this.initializers.push(constant);
    return constant;
  }
}
