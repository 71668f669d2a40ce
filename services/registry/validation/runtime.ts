import { InferenceSession, Tensor as RuntimeTensor } from "onnxruntime-node";
import { assert } from "../../../lib/errors.ts";
import { carriers } from "../../../lib/onnx/carriers.ts";
import { elementCount, type Tensor } from "../../../lib/tensor.ts";
import { textsOf } from "./sample.ts";

/** One model in native memory. Calls block the process. */
export interface Session {
  /** Runs it once, for all outputs. Throws the runtime's own text. */
  run(inputs: readonly Tensor[]): Promise<void>;
  /** Frees the native memory. */
  release(): Promise<void>;
}

/** Loads an ONNX model on the CPU, from a file with others beside it or from bytes. Throws the runtime's own text. */
export async function openSession(model: string | Uint8Array): Promise<Session> {
  const options: InferenceSession.SessionOptions = {
    executionProviders: ["cpu"],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    // What is wrong is said in the outcome; the runtime would also print it.
    logSeverityLevel: 4,
  };
  const session = await (typeof model === "string"
    ? InferenceSession.create(model, options)
    : InferenceSession.create(model, options));
  return {
    run: async (inputs) => {
      await session.run(Object.fromEntries(inputs.map((tensor) => [tensor.name, toRuntime(tensor)])));
    },
    release: () => session.release(),
  };
}

function toRuntime({ dataType, shape, bytes }: Tensor): RuntimeTensor {
  const carrier = carriers[dataType];
  assert(carrier !== undefined, `${dataType} is refused before`);
  if (carrier.array === undefined) return new RuntimeTensor("string", textsOf(bytes, elementCount(shape)), shape);
  // A view needs its elements to begin at a multiple of their size; bytes from another process may begin anywhere.
  const { buffer } = new Uint8Array(bytes);
  return new RuntimeTensor(carrier.type as "float32", new carrier.array(buffer) as Float32Array, shape);
}
