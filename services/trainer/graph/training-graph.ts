import { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Graph, Value } from "../../../lib/onnx/graph.ts";
import { gradients } from "./gradients.ts";
import { type Network, type NetworkOutput, networkOutput } from "./layers.ts";
import { type Loss, type LossValues, lossValues, targetForm } from "./losses.ts";
import { type Optimizer, stateNames, stepScalars, updateOf } from "./optimizers/optimizer.ts";

/** A tensor that is handed from call to call: a graph input `name` and, after the call, an output `next.<name>`. */
export interface StateTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * Several training steps as one graph: a Loop whose body takes batch i, runs the network forward and backward and
 * updates the parameters.
 *
 * - in: `features` FP32 [steps, rows, inputs]; `targets` [steps, rows, ...]; a FP32 [steps] for each name in
 *   `scalarNames` (see `stepScalars`); each tensor of `state`, FP32.
 * - out: `loss` FP32 [steps], the batch's mean before its update; with class targets `correct_count` FP32 [steps], how
 *   many rows were right; each tensor of `state` as `next.<name>`.
 *
 * `steps` and `rows` are free, so that an epoch's last, smaller batch runs on the same graph.
 */
export interface TrainingGraph {
  readonly graph: Graph;
  /** Parameters first. */
  readonly state: readonly StateTensor[];
  readonly parameterNames: readonly string[];
  readonly scalarNames: readonly string[];
}

export function trainingGraph(network: Network, loss: Loss, optimizer: Optimizer): TrainingGraph {
  const outer = new GraphBuilder("training");
  const { dataType, rowShape } = targetForm(loss, network);
  const features = outer.input("features", "FP32", ["steps", "rows", network.inputSize]);
  const targets = outer.input("targets", dataType, ["steps", "rows", ...rowShape]);
  const scalarNames = Object.keys(stepScalars(optimizer, 1));
  const scalars = scalarNames.map((name) => outer.input(name, "FP32", ["steps"]));
  const state = stateTensors(network, optimizer);
  const initial = state.map(({ name, shape }) => outer.input(name, "FP32", shape));
  const stepCount = outer.gather(outer.shapeOf(features), outer.scalar(0, "INT64"));
  const { carried, scanned } = outer.loop(stepCount, "steps", initial, (body, iteration, before) => {
    const at = (values: Value) => body.gather(values, iteration);
    const parameters = before.slice(0, network.parameters.length);
    const measured = lossValues(body, loss, applied(body, network, at(features), parameters), at(targets));
    const slopes = gradients(body, measured.mean, parameters);
    const stepped = Object.fromEntries(scalarNames.map((name, index) => [name, at(scalars[index])]));
    const kept = grouped(before.slice(parameters.length), parameters.length);
    const updates = parameters.map((parameter, index) =>
      updateOf({ graph: body, optimizer, parameter, gradient: slopes[index], state: kept[index], scalars: stepped }),
    );
    return {
      carried: [...updates.map((update) => update.parameter), ...updates.flatMap((update) => update.state)],
      scanned: reported(measured),
    };
  });
  outer.output("loss", scanned[0]);
  if (scanned[1] !== undefined) outer.output("correct_count", scanned[1]);
  for (const [index, { name }] of state.entries()) outer.output(`next.${name}`, carried[index]);
  return { graph: outer.graph(), state, parameterNames: network.parameters.map(({ name }) => name), scalarNames };
}

/**
 * The loss of rows that are not learned from: `features` FP32 [rows, inputs], `targets` and the parameters in; `loss`
 * FP32 [] and, with class targets, `correct_count` FP32 [] out.
 */
export function evaluationGraph(network: Network, loss: Loss): Graph {
  const graph = new GraphBuilder("evaluation");
  const { dataType, rowShape } = targetForm(loss, network);
  const features = graph.input("features", "FP32", ["rows", network.inputSize]);
  const targets = graph.input("targets", dataType, ["rows", ...rowShape]);
  const parameters = network.parameters.map(({ name, shape }) => graph.input(name, "FP32", shape));
  const measured = reported(lossValues(graph, loss, applied(graph, network, features, parameters), targets));
  for (const [index, value] of measured.entries()) graph.output(["loss", "correct_count"][index], value);
  return graph.graph();
}

/** Parameters first, then the optimizer's tensors, parameter by parameter. */
function stateTensors(network: Network, optimizer: Optimizer): StateTensor[] {
  const kept = network.parameters.flatMap(({ name, shape }) =>
    stateNames(optimizer).map((state) => ({ name: `${name}.${state}`, shape })),
  );
  return [...network.parameters.map(({ name, shape }) => ({ name, shape })), ...kept];
}

function applied(graph: GraphBuilder, network: Network, features: Value, values: readonly Value[]): NetworkOutput {
  const parameters = new Map(network.parameters.map(({ name }, index) => [name, values[index]]));
  return networkOutput(graph, network, features, parameters);
}

function grouped(values: readonly Value[], groupCount: number): readonly Value[][] {
  const size = values.length / groupCount;
  return Array.from({ length: groupCount }, (_, group) => values.slice(group * size, (group + 1) * size));
}

function reported({ mean, correctCount }: LossValues): Value[] {
  return correctCount === undefined ? [mean] : [mean, correctCount];
}
