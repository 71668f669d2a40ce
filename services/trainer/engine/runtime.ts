import { InferenceSession, Tensor } from "onnxruntime-node";

/** A dense tensor in this thread's memory, row-major. */
export type RuntimeTensor =
  | { readonly dataType: "FP32"; readonly shape: readonly number[]; readonly elements: Float32Array }
  | { readonly dataType: "FP64"; readonly shape: readonly number[]; readonly elements: Float64Array }
  | { readonly dataType: "INT32"; readonly shape: readonly number[]; readonly elements: Int32Array };

export type RuntimeTensors = Readonly<Record<string, RuntimeTensor>>;

/** A graph that is ready to run. */
export interface Session {
  /** Runs the graph; blocks the thread while it does. Inputs are only read; outputs are new. */
  run(inputs: RuntimeTensors): Promise<RuntimeTensors>;
  /** Frees the native memory. */
  release(): Promise<void>;
}

/** Loads an ONNX model on the CPU. `threadCount` is the number of threads inside one operator. */
export async function openSession(model: Uint8Array, threadCount: number): Promise<Session> {
  const session = await InferenceSession.create(model, {
    executionProviders: ["cpu"],
    intraOpNumThreads: threadCount,
    interOpNumThreads: 1,
    // Threads that spin while they wait take the cores that inference on the same machine needs.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
    // Else it keeps a block as large as all that a run needs at once, beside those that its first run took one by one.
    enableMemPattern: false,
    logSeverityLevel: 3,
  });
  return {
    async run(inputs) {
      const feeds = Object.entries(inputs).map(([name, { dataType, elements, shape }]) => [
        name,
        new Tensor(typeNames[dataType], elements, shape),
      ]);
      const outputs = await session.run(Object.fromEntries(feeds));
      return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, received(tensor as Tensor)]));
    },
    release: () => session.release(),
  };
}

/** The runtime's words for the data types that training needs. */
const typeNames = { FP32: "float32", FP64: "float64", INT32: "int32" } as const satisfies Record<
  RuntimeTensor["dataType"],
  Tensor.Type
>;

function received(tensor: Tensor): RuntimeTensor {
  const dataType = Object.entries(typeNames).find(([, type]) => type === tensor.type)?.[0];
  if (dataType === undefined) throw new Error(`the runtime gave a tensor of ${tensor.type}`);
  return { dataType, shape: tensor.dims, elements: tensor.data } as RuntimeTensor;
}
