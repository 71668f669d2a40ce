import type { ModelInferRequest } from "../../../lib/gen/inference/ModelInferRequest.ts";
import { elementBytes, elementCount, type Signature, type TensorSpec } from "../../../lib/tensor.ts";
import { decodeRequest } from "../../../services/inference/tensors/decode.ts";
import { checkedShape } from "../../../services/inference/tensors/shape.ts";
import { received } from "../../inference/wire.ts";

/** Whether every client of one version, however demanding, gets from another one, as our nodes serve it, what it can read. */
export function isServed(client: Signature, server: Signature): boolean {
  const requests = [client.inputs, client.inputs.filter(({ optional }) => !optional)].map((inputs) =>
    requestOf(inputs, client.outputs),
  );
  return (
    requests.every((request) => isAccepted(request, server)) && client.outputs.every((spec) => isReadable(spec, server))
  );
}

/** Sizes that no signature fixes, of those that it leaves open. */
function anyShape({ shape }: TensorSpec): number[] {
  if (shape[0] === "...") return [1, 1, 1, 1, 1, 1, 1];
  return shape.map((size) => (typeof size === "number" ? size : 5));
}

function requestOf(inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]): ModelInferRequest {
  return {
    modelName: "m",
    inputs: inputs.map((spec) => ({ name: spec.name, datatype: spec.dataType, shape: anyShape(spec) })),
    outputs: outputs.map(({ name }) => ({ name })),
    // Zeros; of BYTES the length of an empty text.
    rawInputContents: inputs.map((spec) =>
      Buffer.alloc(elementCount(anyShape(spec)) * (elementBytes[spec.dataType] ?? 4)),
    ),
  };
}

function isAccepted(request: ModelInferRequest, server: Signature): boolean {
  return succeeds(() => decodeRequest(received(request), server));
}

/** A client reads the outputs that it knows, each by its type and its shape. */
function isReadable(wanted: TensorSpec, { outputs }: Signature): boolean {
  const given = outputs.find(({ name }) => name === wanted.name);
  if (given?.dataType !== wanted.dataType) return false;
  return succeeds(() => checkedShape(anyShape(given).map(String), wanted, "output"));
}

function succeeds(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
