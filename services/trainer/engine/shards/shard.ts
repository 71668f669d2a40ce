import { product } from "../../../../lib/onnx/shapes.ts";
import type { RowElements } from "../../datasets/row-source.ts";
import { slopeName } from "../../graph/shard-graphs.ts";
import type { RowForms } from "../row-buffer.ts";
import { CarriedTensors, openSession, type RuntimeTensor, type RuntimeTensors, type Session } from "../runtime.ts";
import type { Placed, ShardLayout } from "./shard-layout.ts";
import { measuredCount, type Order, places, type ShardMemory } from "./shard-memory.ts";

/** What a thread needs for its share of each step. Plain data, so that another thread can be given it. */
export interface ShardStart {
  readonly index: number;
  readonly layout: ShardLayout;
  readonly memory: ShardMemory;
  readonly forms: RowForms;
  /** Rows that it is given at most. */
  readonly rowCountMax: number;
  /** Parameters that do not move. */
  readonly frozen: RuntimeTensors;
  /** Names of the step's numbers that its parameters move by, and where they are in `memory.numbers`. */
  readonly numbers: ReadonlyMap<string, number>;
  /** ONNX files: `lessonGraph`, and of its own parameters `moveGraph` and, where gradients are bounded by their length, `squaresGraph`. */
  readonly lesson: Uint8Array;
  readonly move: Uint8Array;
  readonly squares: Uint8Array | undefined;
}

/**
 * One thread's share of a training: it learns from some rows of each batch, and moves some of the parameters by what all have learned. Its
 * runtime has one thread. Arrays are copied between what it has alone and what all see, since the runtime takes no shared memory.
 */
export class Shard {
  readonly #start: ShardStart;
  readonly #lesson: Session;
  readonly #move: Session;
  readonly #squares: Session | undefined;
  readonly #parameters: Float32Array;
  /** What it has learned, of all parameters; and what each thread has, of its own parameters. */
  readonly #learned: Float32Array;
  readonly #slopes: readonly Float32Array[];
  readonly #state: CarriedTensors;
  readonly #room: { readonly features: RowElements; readonly targets: RowElements };
  readonly #parameterTensors: RuntimeTensors;
  readonly #lessonRoom: RuntimeTensors;

  private constructor(start: ShardStart, [lesson, move, squares]: readonly (Session | undefined)[]) {
    const { layout, memory, index, forms, rowCountMax } = start;
    this.#start = start;
    this.#lesson = lesson!;
    this.#move = move!;
    this.#squares = squares;
    this.#parameters = new Float32Array(layout.parameterLength);
    this.#learned = new Float32Array(layout.parameterLength);
    const [begin, end] = partOf(start);
    this.#slopes = layout.parts.map((_, thread) =>
      thread === index ? this.#learned.subarray(begin, end) : new Float32Array(end - begin),
    );
    const { parameters, others } = layout.parts[index]!;
    this.#state = new CarriedTensors(tensorsAt([...parameters, ...others], memory.state.slice()));
    const room = (like: RowElements, { rowShape }: { readonly rowShape: readonly number[] }) =>
      new (like.constructor as Float32ArrayConstructor | Int32ArrayConstructor)(rowCountMax * product(rowShape));
    this.#room = { features: room(memory.features, forms.input), targets: room(memory.targets, forms.targets) };
    this.#parameterTensors = { ...start.frozen, ...tensorsAt(layout.whole.parameters, this.#parameters) };
    this.#lessonRoom = slopesAt(layout.whole.parameters, this.#learned, 0);
  }

  static async open(start: ShardStart): Promise<Shard> {
    const { lesson, move, squares } = start;
    const open = (model: Uint8Array | undefined) => model && openSession(model.slice(), 1);
    return new Shard(start, await Promise.all([open(lesson), open(move), open(squares)]));
  }

  /** Does what all are told at once. */
  async follow(order: Exclude<Order, "end">): Promise<void> {
    if (order === "learn") await this.#learn();
    else if (order === "square") await this.#square();
    else if (order === "move") await this.#moveAll();
    else await this.#publish();
  }

  async release(): Promise<void> {
    await this.#lesson.release();
    await this.#move.release();
    await this.#squares?.release();
    await this.#state.release();
  }

  async #learn(): Promise<void> {
    const { index, layout, memory } = this.#start;
    const [rows, threads] = [memory.control[places.rows]!, layout.parts.length];
    const [begin, end] = [Math.floor((rows * index) / threads), Math.floor((rows * (index + 1)) / threads)];
    if (begin === end) {
      this.#learned.fill(0);
      this.#tell(0, 0);
    } else {
      this.#parameters.set(memory.state.subarray(0, layout.parameterLength));
      const inputs = { ...this.#rows(begin, end), ...this.#parameterTensors };
      const numbers = { share: scalar((end - begin) / rows), step: this.#stepNumber() };
      const outputs = await this.#lesson.run({ ...inputs, ...numbers }, undefined, this.#lessonRoom);
      this.#tell(outputs.loss!.elements[0]!, outputs.correct_count?.elements[0] ?? 0);
    }
    memory.slopes[index]!.set(this.#learned);
  }

  async #square(): Promise<void> {
    const { index, memory } = this.#start;
    this.#takeSlopes();
    const { squares } = await this.#squares!.run(this.#ownSlopes());
    memory.measured[measuredCount * index + 2] = squares!.elements[0]!;
  }

  async #moveAll(): Promise<void> {
    const { index, layout, memory, numbers } = this.#start;
    if (this.#squares === undefined) this.#takeSlopes();
    const named = [...numbers].map(([name, place]) => [name, scalar(memory.numbers[place]!)] as const);
    await this.#move.run({ ...this.#ownSlopes(), ...Object.fromEntries(named) }, this.#state);
    await this.#write(layout.parts[index]!.parameters);
  }

  async #publish(): Promise<void> {
    const { index, layout } = this.#start;
    await this.#write(layout.parts[index]!.others);
  }

  async #write(tensors: readonly Placed[]): Promise<void> {
    const held = await this.#state.read();
    for (const { name, begin } of tensors) this.#start.memory.state.set(held[name]!.elements, begin);
  }

  #rows(begin: number, end: number): RuntimeTensors {
    const { memory, forms } = this.#start;
    const tensor = (
      kind: "features" | "targets",
      { dataType, rowShape }: Pick<RowForms["targets"], "dataType" | "rowShape">,
    ) => {
      const width = product(rowShape);
      const elements = this.#room[kind].subarray(0, (end - begin) * width);
      elements.set(memory[kind].subarray(begin * width, end * width));
      return { dataType, shape: [end - begin, ...rowShape], elements } as RuntimeTensor;
    };
    return { features: tensor("features", forms.input), targets: tensor("targets", forms.targets) };
  }

  /** Another one for each step and thread. */
  #stepNumber(): RuntimeTensor {
    const { index, layout, memory } = this.#start;
    const number = memory.control[places.steps]! * layout.parts.length + index;
    return { dataType: "INT32", shape: [], elements: Int32Array.of(number) };
  }

  /** What the others have learned of its own parameters. */
  #takeSlopes(): void {
    const { index, memory } = this.#start;
    const [begin, end] = partOf(this.#start);
    for (const [thread, slopes] of memory.slopes.entries()) {
      if (thread !== index) this.#slopes[thread]!.set(slopes.subarray(begin, end));
    }
  }

  #ownSlopes(): RuntimeTensors {
    const { index, layout } = this.#start;
    const [begin] = partOf(this.#start);
    const named = this.#slopes.flatMap((slopes, thread) =>
      Object.entries(slopesAt(layout.parts[index]!.parameters, slopes, begin)).map(
        ([name, tensor]) => [`${name}.${thread}`, tensor] as const,
      ),
    );
    return Object.fromEntries(named);
  }

  #tell(loss: number, correctCount: number): void {
    const { index, memory } = this.#start;
    memory.measured.set([loss, correctCount], measuredCount * index);
  }
}

/** Where its own parameters lie. */
function partOf({ index, layout }: ShardStart): readonly [begin: number, end: number] {
  const { parameters } = layout.parts[index]!;
  return [parameters[0]!.begin, parameters.at(-1)!.end];
}

function tensorsAt(tensors: readonly Placed[], elements: Float32Array): RuntimeTensors {
  return Object.fromEntries(tensors.map((tensor) => [tensor.name, tensorAt(tensor, elements, 0)]));
}

function slopesAt(parameters: readonly Placed[], elements: Float32Array, first: number): RuntimeTensors {
  return Object.fromEntries(parameters.map((tensor) => [slopeName(tensor), tensorAt(tensor, elements, first)]));
}

/** Among elements of which the first lies at the place `first`. */
function tensorAt({ shape, begin, end }: Placed, elements: Float32Array, first: number): RuntimeTensor {
  return { dataType: "FP32", shape, elements: elements.subarray(begin - first, end - first) };
}

function scalar(number: number): RuntimeTensor {
  return { dataType: "FP32", shape: [], elements: Float32Array.of(number) };
}
