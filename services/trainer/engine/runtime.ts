import { env, InferenceSession, Tensor } from "onnxruntime-node";
import { joinedByteStrings, textsOf } from "../../../lib/byte-strings.ts";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import { GraphBuilder } from "../../../lib/onnx/builder.ts";
import { carriers } from "../../../lib/onnx/carriers.ts";
import { channelBlockProbe } from "../../../lib/onnx/channel-blocks.ts";
import { modelOf } from "../../../lib/onnx/export.ts";
import { writeModel } from "../../../lib/onnx/model.ts";
import type { DataType, Tensor as ServedTensor } from "../../../lib/tensor.ts";
import type { Device } from "./device.ts";
import { Placement } from "./placement.ts";

/** A dense tensor in this thread's memory, row-major. */
export type RuntimeTensor =
  | { readonly dataType: "FP32"; readonly shape: readonly number[]; readonly elements: Float32Array }
  | { readonly dataType: "FP64"; readonly shape: readonly number[]; readonly elements: Float64Array }
  | { readonly dataType: "INT32"; readonly shape: readonly number[]; readonly elements: Int32Array };

export type RuntimeTensors = Readonly<Record<string, RuntimeTensor>>;

/** Of onnxruntime-node. */
export const runtimeVersion = env.versions.node ?? env.versions.common;

/** A graph that is ready to run. */
export interface Session {
  /**
   * Runs the graph; blocks the thread while it does. Inputs are only read; outputs are new, but for those that `into` has room for, which
   * are written there. What `carried` holds goes in too, by its names, and what comes out as `next.<name>` takes its place.
   */
  run(inputs: RuntimeTensors, carried?: CarriedTensors, into?: RuntimeTensors): Promise<RuntimeTensors>;
  /** The operators that its device left to the CPU, in alphabetical order; of another device than the CPU known after the first run. */
  readonly leftToCpu: readonly string[];
  /** Frees the native memory. */
  release(): Promise<void>;
}

/**
 * Tensors that go from run to run. A device keeps them in its memory where it can; else they lie here in two buffers in turn, because a
 * run that wrote over its own inputs would read what it has written.
 */
export class CarriedTensors {
  readonly #names: readonly string[];
  #now: readonly Tensor[];
  #spare: readonly (Tensor | null)[];
  #reader: InferenceSession | undefined;

  /** Copies what they begin with. */
  constructor(first: RuntimeTensors) {
    this.#names = Object.keys(first);
    this.#now = Object.values(first).map((tensor) =>
      given({ ...tensor, elements: tensor.elements.slice() } as RuntimeTensor),
    );
    this.#spare = this.#names.map(() => null);
  }

  /** What they are now, in this thread's memory; overwritten by the run after the next. */
  async read(): Promise<RuntimeTensors> {
    const tensors = this.#now.every(isBuffer) ? this.#now : await this.#downloaded();
    return Object.fromEntries(this.#names.map((name, index) => [name, received(tensors[index])] as const));
  }

  /** By a graph that gives what it is given: the runtime's own way ends the process (onnxruntime-node 1.30). */
  async #downloaded(): Promise<readonly Tensor[]> {
    const graph = new GraphBuilder("read");
    const values = this.#now.map(({ dims }, index) => graph.input(this.#names[index], "FP32", dims));
    for (const value of values) graph.output(nextName(value.name), value);
    const model = writeModel(modelOf(graph.graph()));
    this.#reader ??= await InferenceSession.create(model, { executionProviders: ["webgpu"], logSeverityLevel: 4 });
    const outputs = await this.#reader.run(this.feeds);
    return this.#names.map((name) => outputs[nextName(name)] as Tensor);
  }

  get feeds(): Readonly<Record<string, Tensor>> {
    return Object.fromEntries(this.#names.map((name, index) => [name, this.#now[index]]));
  }

  /** Where a run puts what it gives; null where it chooses itself. */
  get fetches(): Readonly<Record<string, Tensor | null>> {
    return Object.fromEntries(this.#names.map((name, index) => [nextName(name), this.#spare[index]]));
  }

  take(outputs: Readonly<Record<string, Tensor>>): void {
    const before = this.#now;
    this.#now = this.#names.map((name) => outputs[nextName(name)]);
    for (const tensor of before) if (!isBuffer(tensor)) tensor.dispose();
    this.#spare = before.map((tensor, index) => (isBuffer(tensor) && isBuffer(this.#now[index]) ? tensor : null));
  }

  /** Frees what a device keeps. */
  async release(): Promise<void> {
    for (const tensor of this.#now) if (!isBuffer(tensor)) tensor.dispose();
    await this.#reader?.release();
  }
}

/** How a session runs. */
export interface SessionOptions {
  /** The CPU by default. */
  readonly device?: Device;
  /** Names of tensors that are carried from run to run, which the device keeps if it can. */
  readonly carried?: readonly string[];
}

/**
 * Loads an ONNX model. `threadCount` is the number of threads inside one operator. Throws UNSUPPORTED where there is no such device here;
 * nothing else takes its place.
 */
export async function openSession(
  model: Uint8Array,
  threadCount: number,
  { device = "cpu", carried = [] }: SessionOptions = {},
): Promise<Session> {
  const placement = device === "cpu" ? undefined : await Placement.begin();
  const session = await InferenceSession.create(model, {
    executionProviders: [device],
    intraOpNumThreads: threadCount,
    interOpNumThreads: 1,
    // Threads may spin while they wait within a run, not between runs: others on the machine need the cores. What has died out, such as the
    // moments of units that are never active, becomes 0 before the processor takes ten times as long for it.
    extra: { session: { force_spinning_stop: "1", set_denormal_as_zero: "1" } },
    // Else it keeps a block as large as all that a run needs at once, beside those that its first run took one by one.
    enableMemPattern: false,
    // What fails is thrown; the runtime would print it too.
    logSeverityLevel: 4,
    ...placement?.options,
    ...(device === "webgpu" && {
      preferredOutputLocation: Object.fromEntries(carried.map((name) => [nextName(name), "gpu-buffer" as const])),
    }),
  }).catch(async (cause: unknown) => {
    await placement?.end();
    if (device === "cpu") throw cause;
    throw new ServiceError("UNSUPPORTED", `the device ${device} cannot be used here: ${messageOf(cause)}`, { cause });
  });
  let leftToCpu: readonly string[] | undefined;
  return {
    async run(inputs, carried, into = {}) {
      const next = carried?.fetches ?? {};
      const fetches = {
        ...Object.fromEntries(session.outputNames.map((name) => [name, null])),
        ...allGiven(into),
        ...next,
      };
      const outputs = await session.run({ ...allGiven(inputs), ...carried?.feeds }, fetches);
      carried?.take(outputs as Record<string, Tensor>);
      if (placement !== undefined && leftToCpu === undefined) {
        session.endProfiling();
        leftToCpu = await placement.operatorsOn("CPUExecutionProvider");
      }
      const others = Object.entries(outputs).filter(([name]) => !(name in next));
      return Object.fromEntries(others.map(([name, tensor]) => [name, received(tensor as Tensor)]));
    },
    get leftToCpu() {
      return leftToCpu ?? [];
    },
    async release() {
      await session.release();
      await placement?.end();
    },
  };
}

let foundBlock: Promise<number | undefined> | undefined;

/** How many channels the runtime's convolutions take together on this CPU; undefined where it has none that do. Found out once. */
export function channelBlock(): Promise<number | undefined> {
  foundBlock ??= findChannelBlock();
  return foundBlock;
}

async function findChannelBlock(): Promise<number | undefined> {
  // A runtime without them on this CPU does not load the graph: that is the answer.
  const session = await openSession(writeModel(modelOf(channelBlockProbe())), 1).catch(() => undefined);
  if (session === undefined) return undefined;
  const x = {
    dataType: "FP32",
    shape: [1, 64, 1, 2],
    elements: Float32Array.from({ length: 128 }, (_, place) => place),
  };
  const { y } = await session.run({ x } as RuntimeTensors);
  await session.release();
  return y!.elements.indexOf(1);
}

/** A model as it is served: tensors of any type in and out, by the names of its file. */
export interface ServedSession {
  /** Blocks the thread while it runs. */
  run(inputs: readonly ServedTensor[]): Promise<readonly ServedTensor[]>;
  /** Frees the native memory. */
  release(): Promise<void>;
}

/**
 * Loads a model as it is served, on the CPU, with the files that it keeps weights in by their locations. Throws ARTIFACT_INVALID where it
 * cannot be loaded or run.
 */
export async function openServed(
  model: Uint8Array,
  files: ReadonlyMap<string, Uint8Array>,
  threadCount: number,
): Promise<ServedSession> {
  const invalid = (what: string) => (cause: unknown) => {
    throw new ServiceError("ARTIFACT_INVALID", `the model cannot be ${what}: ${messageOf(cause)}`, { cause });
  };
  const session = await InferenceSession.create(model, {
    externalData: [...files].map(([path, data]) => ({ path, data })),
    intraOpNumThreads: threadCount,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  }).catch(invalid("loaded"));
  return {
    async run(inputs) {
      const feeds = Object.fromEntries(inputs.map((input) => [input.name, servedInput(input)]));
      const outputs = await session.run(feeds).catch(invalid("run"));
      return session.outputNames.map((name) => servedOutput(name, outputs[name] as Tensor));
    },
    release: () => session.release(),
  };
}

function servedInput({ dataType, shape, bytes }: ServedTensor): Tensor {
  const carrier = carriers[dataType];
  if (carrier === undefined) throw new Error(`the runtime takes no tensors of ${dataType}`);
  if (carrier.array === undefined) return new Tensor("string", textsOf(bytes), shape);
  const elements = new carrier.array(bytes.slice().buffer);
  return new Tensor(carrier.type as "float32", elements as Float32Array, shape);
}

function servedOutput(name: string, { type, dims, data }: Tensor): ServedTensor {
  const dataType = Object.entries(carriers).find(([, carrier]) => carrier?.type === type)?.[0] as DataType;
  if (Array.isArray(data)) {
    return { name, dataType, shape: dims, bytes: joinedByteStrings(data.map((text) => Buffer.from(text))) };
  }
  const { buffer, byteOffset, byteLength } = data as Float32Array;
  return { name, dataType, shape: dims, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
}

/** The runtime's words for the data types that training needs. */
const typeNames = { FP32: "float32", FP64: "float64", INT32: "int32" } as const satisfies Record<
  RuntimeTensor["dataType"],
  Tensor.Type
>;

function nextName(name: string): string {
  return `next.${name}`;
}

/** Whether it lies in this thread's memory. */
function isBuffer({ location }: Tensor): boolean {
  return location === "cpu";
}

function allGiven(tensors: RuntimeTensors): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, given(tensor)]));
}

function given({ dataType, elements, shape }: RuntimeTensor): Tensor {
  return new Tensor(typeNames[dataType], elements, shape);
}

function received({ type, dims, data: elements }: Tensor): RuntimeTensor {
  const dataType = Object.entries(typeNames).find(([, name]) => name === type)?.[0];
  if (dataType === undefined) throw new Error(`the runtime gave a tensor of ${type}`);
  return { dataType, shape: dims, elements } as RuntimeTensor;
}
