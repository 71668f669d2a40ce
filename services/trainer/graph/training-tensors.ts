import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import { type Move, type Moves, moveScalars, movesOf, scalarName } from "./moves.ts";
import type { Network } from "./network.ts";
import { stateNames, stepScalars, updateOf } from "./optimizers/optimizer.ts";
import { averaged } from "./optimizers/optimizer-kind.ts";

/** A tensor that is handed from call to call: a graph input `name` and, after the call, an output `next.<name>`. */
export interface StateTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** The parameter or statistic whose first elements it begins with; zeros where it is left out. */
  readonly startsAs?: string;
}

/** What a training holds, whatever graphs it runs by. */
export interface TrainingTensors {
  /** Parameters that move, then the optimizer's tensors, averages of parameters, and the network's statistics. */
  readonly state: readonly StateTensor[];
  /** Parameters that do not. */
  readonly frozen: readonly StateTensor[];
  /** Numbers that change from step to step; see `moveScalars`. */
  readonly scalarNames: readonly string[];
  /** What moves, and how. */
  readonly moving: readonly Move[];
  /** Of each parameter and statistic the tensor that is measured and comes out. */
  readonly results: ReadonlyMap<string, string>;
}

export function trainingTensors(network: Network, moves: Moves): TrainingTensors {
  const moving = movesOf(moves, network.parameters);
  const statistics = network.statistics.map(({ name, shape }) => ({ name, shape, startsAs: name }));
  return {
    state: [...movingTensors(moving, moves), ...statistics],
    frozen: network.parameters
      .filter((parameter) => !moving.some((move) => move.parameter === parameter))
      .map(({ name, shape }) => ({ name, shape, startsAs: name })),
    scalarNames: Object.keys(moveScalars(moving, 1, 1)),
    moving,
    results: resultsOf(network, moving, moves),
  };
}

/** Parameters that move, then the optimizer's tensors and the averages of parameters. */
export function movingTensors(moving: readonly Move[], { averageDecay }: Moves): StateTensor[] {
  const parameters = moving.map(({ parameter: { name, shape } }) => ({ name, shape, startsAs: name }));
  const own = moving.flatMap(({ parameter: { name, shape }, optimizer }) =>
    stateNames(optimizer).map((state) => ({ name: `${name}.${state}`, shape })),
  );
  const averages = parameters.map((parameter) => ({ ...parameter, name: averageName(parameter.name) }));
  return [...parameters, ...own, ...(averageDecay === undefined ? [] : averages)];
}

/** Appends a step of all that moves; the tensors afterwards, by name. `held` are those before, `numbers` the step's, by name. */
export function movedTensors(
  graph: GraphBuilder,
  moving: readonly Move[],
  { averageDecay }: Moves,
  slopes: readonly Value[],
  held: ReadonlyMap<string, Value>,
  numbers: ReadonlyMap<string, Value>,
): Map<string, Value> {
  const next = new Map(moving.flatMap((move, index) => moved(graph, move, slopes[index]!, held, numbers)));
  if (averageDecay === undefined) return next;
  for (const { parameter } of moving) {
    const name = averageName(parameter.name);
    next.set(name, averaged(graph, held.get(name)!, next.get(parameter.name)!, averageDecay));
  }
  return next;
}

/** A parameter and its optimizer's tensors after a step, by name. */
function moved(
  graph: GraphBuilder,
  { parameter: { name }, optimizer, group }: Move,
  gradient: Value,
  held: ReadonlyMap<string, Value>,
  numbers: ReadonlyMap<string, Value>,
): readonly (readonly [string, Value])[] {
  const own = stateNames(optimizer).map((state) => `${name}.${state}`);
  const scalars = Object.fromEntries(
    Object.keys(stepScalars(optimizer, 1)).map((scalar) => [scalar, numbers.get(scalarName(scalar, group))!]),
  );
  const state = own.map((each) => held.get(each)!);
  const update = updateOf({ graph, optimizer, parameter: held.get(name)!, gradient, state, scalars });
  return [[name, update.parameter], ...own.map((each, index) => [each, update.state[index]!] as const)];
}

function resultsOf({ parameters, statistics }: Network, moving: readonly Move[], { averageDecay }: Moves) {
  const isAveraged = (name: string) =>
    averageDecay !== undefined && moving.some(({ parameter }) => parameter.name === name);
  return new Map([...parameters, ...statistics].map(({ name }) => [name, isAveraged(name) ? averageName(name) : name]));
}

/** The moving average of a parameter among the tensors of the state. */
function averageName(parameter: string): string {
  return `${parameter}.average`;
}
