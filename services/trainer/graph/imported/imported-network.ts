import { appended, type Instead } from "../../../../lib/onnx/appended.ts";
import { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Node, Value } from "../../../../lib/onnx/graph.ts";
import { floatOf } from "../../../../lib/onnx/operators/inference.ts";
import { product } from "../../../../lib/onnx/shapes.ts";
import { trainedBatchNorm } from "../batch-norm.ts";
import { dropout } from "../dropout.ts";
import { filteredConvolution } from "../filtered-convolution.ts";
import { gradientsFound } from "../gradients.ts";
import type { BuiltLayer } from "../layers/layer-kind.ts";
import { linear } from "../layers/linear.ts";
import type { Mode, Network, NetworkOutput, Parameter, Statistic } from "../network.ts";
import { specError } from "../spec-error.ts";
import { type ImportedModel, type ImportedSpec, importedModel, modelField } from "./imported-model.ts";
import { type Candidate, candidatesOf, floatsOf, nothingToTrain, statisticsOf } from "./imported-tensors.ts";
import { inputOf, servedAs } from "./served-form.ts";

/**
 * A network from an ONNX file. Its parameters are the initializers, by their names, that its output depends on by operators with gradients.
 * Dropout drops and BatchNormalization takes the statistics of the batch in training, whatever the file says, and neither does when it is
 * served.
 *
 * Throws ARTIFACT_INVALID for what is no model, and SPEC_INVALID, with the reason, for one that cannot be trained: which has no single
 * input of rows, nor columns, or no parameters, or parameters that are not FP32, or an operator without a gradient on the way from one to its output.
 */
export function importedNetwork(spec: ImportedSpec): Network {
  const part = new ImportedPart(importedModel(spec));
  const { model, features, parameters } = part;
  const statistics = [...part.statistics.values()].flat();
  const head = spec.head && headOf(spec.head.outputSize, features, [...parameters, ...statistics]);
  const all = [...parameters, ...(head?.parameters ?? [])];
  if (all.length === 0) throw nothingToTrain(model);
  return {
    input: inputOf(model),
    outputShape: head?.outputShape ?? features,
    parameters: all,
    statistics,
    parameterCount: all.reduce((sum, { shape }) => sum + product(shape), 0),
    served: servedAs(model, spec.head !== undefined),
    append(graph, input, tensors, mode) {
      const { output, statistics } = part.append(graph, input, tensors, mode);
      const into = {
        graph,
        mode,
        tensor: (name: string) => tensors.get(name) as Value,
        changed: () => {},
        dropout: (x: Value) => x,
      };
      return { output: head === undefined ? output : head.append(into, output), statistics };
    },
  };
}

/** A linear layer under a name that no tensor has. */
function headOf(outputSize: number, features: readonly number[], tensors: readonly Parameter[]): BuiltLayer {
  let name = "head";
  for (let count = 1; tensors.some((each) => each.name.startsWith(`${name}.`)); count++) name = `head_${count}`;
  return linear({ kind: "linear", outputSize }, features, { field: "head", name, takesTokens: false, known: [] });
}

/** What of a model is trained, without a new head. */
class ImportedPart {
  readonly model: ImportedModel;
  /** A row that comes out. */
  readonly features: readonly number[];
  readonly parameters: readonly Parameter[];
  readonly statistics: ReadonlyMap<Node, readonly Statistic[]>;
  readonly #candidates: readonly Candidate[];

  constructor(model: ImportedModel) {
    this.model = model;
    this.#candidates = candidatesOf(model);
    this.statistics = statisticsOf(model, this.#candidates);
    const graph = new GraphBuilder("trial");
    const { dataType, rowShape } = inputOf(model);
    const input = graph.input("input", dataType, ["rows", ...rowShape]);
    const tensors = new Map(
      [
        ...this.#candidates,
        ...[...this.statistics.values()].flat().map((each) => ({ ...each, dataType: "FP32" as const })),
      ].map(({ name, dataType, shape }) => [name, graph.input(name, dataType, shape)]),
    );
    const mode = { kind: "training", seed: 0, step: graph.scalar(0, "INT64") } as const;
    const { output } = this.append(graph, input, tensors, mode);
    this.features = rowOf(output);
    const values = this.#candidates.map(({ name }) => tensors.get(name)!);
    const found = gradientsFound(graph, graph.reduceSum(output), values);
    const moved = this.#candidates.filter((_, index) => found.has(values[index]!));
    this.parameters = moved.map((each) => {
      const elements = floatsOf(each, each.name);
      return { name: each.name, shape: each.shape, initial: { kind: "elements", elements } };
    });
    this.#candidates = moved;
  }

  append(graph: GraphBuilder, input: Value, tensors: ReadonlyMap<string, Value>, mode: Mode): NetworkOutput {
    const { read, input: own, columns, cut, held } = this.model;
    const statistics = new Map<string, Value>();
    const given = new Map<Value, Value>([[own, columns === undefined ? graph.cast(input, own.dataType) : input]]);
    for (const { value, name } of this.#candidates) given.set(value, tensors.get(name)!);
    for (const [value, source] of held) {
      if (value === source || given.has(value)) continue;
      given.set(value, graph.read({ ...source, name: value.name, stored: undefined }, "initializer"));
    }
    const instead = this.#instead(tensors, mode, statistics);
    const [value] = appended(graph, read, given, [cut.value], instead) as readonly [Value];
    return { output: cut.isFlattened && value.shape.length !== 2 ? graph.node("Flatten", [value]) : value, statistics };
  }

  /** Of the operators that do otherwise in training. */
  #instead(tensors: ReadonlyMap<string, Value>, mode: Mode, statistics: Map<string, Value>): Instead {
    let maskCount = 0;
    return (graph, node, inputs) => {
      if (node.set?.domain !== "" || inputs.some((input) => input?.unknown !== undefined)) return undefined;
      const [x, ratio] = inputs as readonly [Value, ...Value[]];
      if (node.operator === "Dropout") {
        const share = ratio === undefined ? 0.5 : ratioOf(node, ratio);
        return [
          mode.kind === "inference" || share === 0 ? x : dropout(graph, x, share, { ...mode, index: maskCount++ }),
        ];
      }
      if (node.operator === "Conv" && mode.kind === "training") {
        const filtered = filteredConvolution(graph, inputs as readonly Value[], node.attributes, mode);
        return filtered && [filtered];
      }
      const own = this.statistics.get(node);
      if (own === undefined) return undefined;
      const running = own.map(({ name }) => tensors.get(name)!);
      const all = [...inputs.slice(0, 3), ...running] as readonly Value[];
      const epsilon = node.attributes.epsilon;
      if (mode.kind === "inference") return [graph.node("BatchNormalization", all, epsilon && { epsilon })];
      const decay = floatOf(node.attributes, "momentum", 0.9);
      const trained = trainedBatchNorm(graph, all, floatOf(node.attributes, "epsilon", 1e-5), decay, mode);
      for (const [index, value] of trained.running.entries()) statistics.set(own[index]!.name, value);
      return [trained.y];
    };
  }
}

/** The share that a Dropout of a file drops. */
function ratioOf({ name }: Node, { elements }: Value): number {
  const share = Number(elements?.[0]);
  if (share >= 0 && share < 1) return share;
  const seen = elements === undefined ? "a ratio that it works out" : `the ratio ${share}`;
  throw specError(modelField, `a model whose node ${name} (Dropout) has ${seen}`, "a constant in [0, 1)");
}

/** A row of what comes out, whose sizes are known. */
function rowOf({ name, dataType, shape, unknown }: Value): readonly number[] {
  const [rows, ...row] = shape;
  const seen = unknown ?? `${dataType} [${shape.join(", ")}]`;
  if (
    unknown === undefined &&
    dataType === "FP32" &&
    rows === "rows" &&
    row.every((size) => typeof size === "number")
  ) {
    return row;
  }
  throw specError(
    modelField,
    `a model that gives ${name}: ${seen}`,
    "FP32 of known sizes, after as many rows as go in",
  );
}
