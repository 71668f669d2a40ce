import type { Graph, Node, ReadModel, Value } from "../../../../lib/onnx/graph.ts";
import { readGraph } from "../../../../lib/onnx/graph-reader.ts";
import { readModel } from "../../../../lib/onnx/model.ts";
import { pruned } from "../../../../lib/onnx/pruned.ts";
import { usedBy } from "../../../../lib/onnx/uses.ts";
import { specError } from "../spec-error.ts";
import { type Cut, cutOf, type Head } from "./head.ts";
import { type OwnColumns, ownColumns } from "./own-columns.ts";

/** A network as an ONNX file has it, trained or not. */
export interface ImportedSpec {
  readonly kind: "imported";
  readonly model: Uint8Array;
  /** The files beside it, by the locations that it names. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** A new last layer. */
  readonly head?: Head | undefined;
}

/** The part of a model that is trained: what its output needs, or what a new head does. */
export interface ImportedModel {
  readonly read: ReadModel;
  /** What this part takes: the only input, or what all of them are joined to. */
  readonly input: Value;
  /** Those that it has an input for each of; undefined where there is one for all. */
  readonly columns: OwnColumns | undefined;
  readonly cut: Cut;
  /** In an order in which they can run. */
  readonly nodes: readonly Node[];
  /** What the part holds from the beginning: of each value another one that has its elements. */
  readonly held: ReadonlyMap<Value, Value>;
}

/** The field of a job that names a model, for messages. */
export const modelField = "initial_version";

/**
 * Reads a file. Throws ARTIFACT_INVALID for what is no model, and SPEC_INVALID for one without a single output, a quantised one, and one of
 * several inputs that are no columns.
 */
export function importedModel({ model, files, head }: ImportedSpec): ImportedModel {
  const read = readGraph(readModel(model), files);
  const { graph } = read;
  const cut = cutOf(graph, head);
  const all = new Map([...graph.initializers.map((value) => [value, value] as const), ...copiesIn(read)]);
  const others = graph.nodes.filter(({ outputs: [output] }) => output === undefined || !all.has(output));
  const initializers = [...all.keys()];
  const whole = pruned({ ...graph, nodes: others, initializers, outputs: [cut.value] });
  const inputsOf = ({ nodes }: Pick<Graph, "nodes">) => {
    const used = new Set([cut.value, ...nodes.flatMap(usedBy)]);
    return graph.inputs.filter((input) => used.has(input) && !all.has(input));
  };
  const inputs = inputsOf(whole);
  const isOne = inputs.length === 1 && inputs[0]!.dataType !== "BYTES";
  const columns = isOne ? undefined : ownColumns(whole, inputs);
  const behind = whole.nodes.filter(({ outputs: [output] }) => output !== columns?.joined);
  const part = columns === undefined ? whole : pruned({ ...whole, nodes: behind });
  if (!isOne && (columns === undefined || inputsOf(part).length > 0)) {
    const names = inputs.map(({ name }) => name).join(", ");
    const needed =
      "one of a single input, or whose inputs are columns that are joined before anything is learned of them";
    throw specError(modelField, `a model of ${inputs.length} inputs (${names})`, needed);
  }
  const quantised = part.nodes.find(({ operator }) => /quantize|^QLinear|Integer$|NBits$/i.test(operator));
  if (quantised !== undefined) {
    const seen = `a quantised model, by its node ${quantised.name} (${quantised.operator})`;
    throw specError(modelField, seen, "the model of floats that it was made of");
  }
  const held = new Map(part.initializers.map((value) => [value, all.get(value)!]));
  return { read, input: columns?.joined ?? inputs[0]!, columns, cut, nodes: part.nodes, held };
}

/**
 * What Identity gives of an initializer: exporters keep equal elements once, whether or not they are to stay equal in training, so each
 * is a tensor of its own.
 */
function copiesIn({ graph }: ReadModel): readonly (readonly [Value, Value])[] {
  const initializers = new Set(graph.initializers);
  return graph.nodes
    .filter(({ operator, set, inputs: [x] }) => operator === "Identity" && set?.domain === "" && initializers.has(x!))
    .map(({ inputs: [x], outputs: [y] }) => [y!, x!]);
}
