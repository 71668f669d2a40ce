import type { Graph, Node, Value } from "../../../../lib/onnx/graph.ts";
import { intOf } from "../../../../lib/onnx/operators/inference.ts";
import { pruned } from "../../../../lib/onnx/pruned.ts";
import { usedBy } from "../../../../lib/onnx/uses.ts";
import { specError } from "../spec-error.ts";

/** A new last layer of a network, a linear one with fresh weights, in the place of its own. */
export interface Head {
  /** How many values it gives for each row, or each place of a row: classes, for a loss that has them. */
  readonly outputSize: number;
  /**
   * The value of the model that it takes, flattened to one axis: all that comes after is dropped. By default it takes what the last
   * product with weights takes, and works over the last axis as that did.
   */
  readonly after?: string | undefined;
}

/** Where a model ends for training: at its output, or where its new head begins. */
export interface Cut {
  readonly value: Value;
  /** What the served model gives under this name. */
  readonly outputName: string;
  readonly isFlattened: boolean;
}

/** Throws SPEC_INVALID for a head where there is none to replace, and for a value that is not there. */
export function cutOf(graph: Graph, head: Head | undefined): Cut {
  const [output, ...others] = graph.outputs as readonly [Value, ...Value[]];
  const outputName = output.name;
  if (head?.after) return { value: valueNamed(graph, head.after), outputName, isFlattened: true };
  if (others.length > 0) {
    const names = graph.outputs.map(({ name }) => name).join(", ");
    throw specError(
      "initial_version",
      `a model of the outputs ${names}`,
      "one of a single output, or a head that says after which value it comes",
    );
  }
  if (head === undefined) return { value: output, outputName, isFlattened: false };
  return { value: lastProduct(graph, output).inputs[0]!, outputName, isFlattened: false };
}

/** The last product of something that follows from the model's input with something that does not, its weights. */
function lastProduct(graph: Graph, output: Value): Node {
  const { nodes, initializers } = pruned({ ...graph, outputs: [output] });
  const following = new Set(graph.inputs.filter((input) => !initializers.includes(input)));
  for (const node of nodes) {
    if (usedBy(node).some((value) => following.has(value))) for (const each of node.outputs) following.add(each);
  }
  const last = nodes.findLast(
    ({ operator, set, inputs: [x, weight] }) =>
      set?.domain === "" && /^(Gemm|MatMul)$/.test(operator) && following.has(x!) && !following.has(weight!),
  );
  if (last !== undefined && intOf(last.attributes, "transA", 0) === 0) return last;
  const seen = "of a model whose output comes from no product (Gemm or MatMul) of its input's rows with weights";
  throw specError("head", seen, "a head that says after which value it comes");
}

function valueNamed({ inputs, nodes }: Graph, name: string): Value {
  const values = [...inputs, ...nodes.flatMap(({ outputs }) => outputs)];
  const value = values.find((each) => each.name === name);
  if (value !== undefined) return value;
  const last = values.slice(-namesMax).map((each) => each.name);
  throw specError("head.after", name, `the name of a value of the model, the last of which are ${last.join(", ")}`);
}

/** Values that a message names. */
const namesMax = 10;
