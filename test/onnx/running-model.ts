import { InferenceSession, Tensor } from "onnxruntime-node";
import { carriers } from "../../lib/onnx/carriers.ts";
import type { Elements, Value } from "../../lib/onnx/graph.ts";
import { type ModelProto, writeModel } from "../../lib/onnx/model.ts";

/** A tensor as the runtime takes and gives it. */
export type Given = Pick<Value, "dataType"> & { readonly shape: readonly number[]; readonly elements: Elements };

/** What the runtime gives for a model, as it is written: without the optimizations of the runtime, if so asked. */
export async function outputsOf(
  model: ModelProto,
  inputs: Readonly<Record<string, Given>> = {},
  files: readonly { readonly path: string; readonly data: Uint8Array }[] = [],
): Promise<Readonly<Record<string, Given>>> {
  const session = await InferenceSession.create(writeModel(model), {
    graphOptimizationLevel: "disabled",
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
    externalData: files,
  });
  try {
    const feeds = Object.entries(inputs).map(([name, { dataType, elements, shape }]) => [
      name,
      new Tensor(carriers[dataType as "FP32"].type, elements as Float32Array, shape),
    ]);
    const outputs = await session.run(Object.fromEntries(feeds));
    return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, given(tensor as Tensor)]));
  } finally {
    await session.release();
  }
}

function given({ type, data, dims }: Tensor): Given {
  const dataType = Object.entries(carriers).find(([, carrier]) => carrier?.type === type)?.[0];
  return { dataType: dataType as Given["dataType"], shape: dims, elements: data as unknown as Elements };
}
