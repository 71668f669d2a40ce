import type { Graph } from "../../../../lib/onnx/graph.ts";
import type { RowReader } from "../../datasets/row-source.ts";
import { type Move, moveScalars } from "../../graph/moves.ts";
import type { Network } from "../../graph/network.ts";
import { lessonGraph, moveGraph, squaresGraph } from "../../graph/shard-graphs.ts";
import { type Measured, withBatches } from "../measured.ts";
import { modelFileOf } from "../model-file.ts";
import { readRows } from "../row-buffer.ts";
import type { RuntimeTensors } from "../runtime.ts";
import { begunTensors, checkLosses, learnedRowCount, rateShareAt, type StepperParts, type Steps } from "../stepper.ts";
import type { TrainingPlan } from "../training-plan.ts";
import { type Placed, type PlacedMoves, type ShardLayout, shardLayout } from "./shard-layout.ts";
import { measuredCount, places, type ShardMemory, shardMemory } from "./shard-memory.ts";
import { Shards } from "./shards.ts";

/** Takes the steps of a training by several threads, which share the rows of each batch and the parameters that move. */
export class ShardedSteps implements Steps {
  readonly #parts: StepperParts;
  readonly #layout: ShardLayout;
  readonly #memory: ShardMemory;
  readonly #shards: Shards;
  readonly #frozen: RuntimeTensors;
  #stepsDone: number;

  private constructor(parts: StepperParts, layout: ShardLayout, memory: ShardMemory, shards: Shards) {
    this.#parts = parts;
    this.#layout = layout;
    this.#memory = memory;
    this.#shards = shards;
    this.#frozen = begunTensors(parts, parts.tensors.frozen);
    this.#stepsDone = parts.resumed?.stepsDone ?? 0;
  }

  static async open(parts: StepperParts, network: Network, threadCount: number): Promise<ShardedSteps> {
    const { plan, forms, tensors } = parts;
    const layout = shardLayout(tensors.moving, plan, threadCount);
    const memory = shardMemory(layout, forms, plan.batchRows, tensors.scalarNames.length);
    const begun = begunTensors(parts, tensors.state);
    for (const { name, begin } of placedIn(layout.whole)) memory.state.set(begun[name]!.elements, begin);
    const lesson = await sharedFile(lessonGraph(network, plan.loss, tensors.moving, plan.seed));
    const isBounded = plan.clip?.norm !== undefined;
    const starts = layout.parts.map(async ({ moves }, index) => ({
      ...{ index, layout, memory, forms, lesson },
      rowCountMax: Math.ceil(plan.batchRows / threadCount),
      frozen: begunTensors(parts, tensors.frozen),
      numbers: numbersOf(moves, plan, tensors.scalarNames),
      move: await sharedFile(moveGraph(moves, plan, threadCount)),
      squares: isBounded ? await sharedFile(squaresGraph(moves, plan, threadCount)) : undefined,
    }));
    return new ShardedSteps(parts, layout, memory, await Shards.open(await Promise.all(starts)));
  }

  get stepsDone(): number {
    return this.#stepsDone;
  }

  async advance(reader: RowReader, epoch: number, sum: Measured): Promise<Measured> {
    const { plan, rows, forms, stepCount, tensors } = this.#parts;
    const rowCount = Math.min(plan.batchRows, learnedRowCount(plan, rows.rowCount) - sum.rowCount);
    const { control, features, targets, numbers } = this.#memory;
    readRows(reader, forms, rowCount, { features, targets });
    control[places.rows] = rowCount;
    control[places.steps] = this.#stepsDone;
    await this.#shards.all("learn");
    const losses = [this.#told(0)];
    checkLosses(losses, this.#stepsDone, this.#parts, epoch);
    const step = this.#stepsDone + 1;
    const scalars = moveScalars(tensors.moving, step, rateShareAt(plan, step, stepCount));
    numbers.set(tensors.scalarNames.map((name) => scalars[name]!));
    if (plan.clip?.norm !== undefined) numbers[tensors.scalarNames.length] = await this.#factor(plan.clip.norm);
    await this.#shards.all("move");
    this.#stepsDone = step;
    return withBatches(sum, rowCount, losses, forms.targets.dataType === "INT32" ? [this.#told(1)] : undefined);
  }

  async state(): Promise<RuntimeTensors> {
    await this.#shards.all("publish");
    const tensorOf = ({ name, shape, begin, end }: Placed) => {
      const elements = this.#memory.state.slice(begin, end);
      return [name, { dataType: "FP32", shape, elements }] as const;
    };
    return Object.fromEntries(placedIn(this.#layout.whole).map(tensorOf));
  }

  async results(): Promise<RuntimeTensors> {
    const held = { ...this.#frozen, ...(await this.state()) };
    return Object.fromEntries([...this.#parts.tensors.results].map(([name, result]) => [name, held[result]!]));
  }

  async release(): Promise<void> {
    await this.#shards.release();
  }

  /** By which all gradients together are no longer than a bound (Pascanu, Mikolov and Bengio 2013). */
  async #factor(bound: number): Promise<number> {
    await this.#shards.all("square");
    const length = Math.sqrt(this.#told(2));
    return length > bound ? bound / length : 1;
  }

  /** The sum of what all threads have told, in their order. */
  #told(place: number): number {
    const { measured } = this.#memory;
    return this.#layout.parts.reduce((sum, _, index) => sum + measured[measuredCount * index + place]!, 0);
  }
}

function placedIn({ parameters, others }: PlacedMoves): readonly Placed[] {
  return [...parameters, ...others];
}

/** Where the numbers are that some parameters move by; the factor that bounds gradients comes last. */
function numbersOf(
  moves: readonly Move[],
  { clip }: TrainingPlan,
  all: readonly string[],
): ReadonlyMap<string, number> {
  const names = Object.keys(moveScalars(moves, 1, 1));
  const numbers = new Map(names.map((name) => [name, all.indexOf(name)]));
  return clip?.norm === undefined ? numbers : numbers.set("factor", all.length);
}

/** The file of a graph, in memory that all threads see, so that they need no copies. */
async function sharedFile(graph: Graph): Promise<Uint8Array> {
  const bytes = await modelFileOf(graph);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  shared.set(bytes);
  return shared;
}
