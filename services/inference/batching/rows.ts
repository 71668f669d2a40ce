import { anyRank, unnamedDimension } from "../../../lib/onnx/signature.ts";
import type { Signature, Tensor, TensorSpec } from "../../../lib/tensor.ts";
import type { InferenceJob } from "../tensors/decode.ts";

/** Why the requests of a model cannot be joined; undefined where its first axis may be the rows in all that it takes and gives. */
export function joiningObstacle({ inputs, outputs }: Signature): string | undefined {
  if (inputs.length === 0) return "the model has no inputs";
  const all = [...inputs, ...outputs];
  const fixed = all.find((spec) => !hasRows(spec));
  if (fixed !== undefined) {
    return `the first axis of '${fixed.name}' is not symbolic: it has shape [${fixed.shape.join(", ")}]`;
  }
  // Other symbols are other things, such as the nodes and the edges of a graph, however often there are as many of both.
  const named = all.filter(({ shape: [first] }) => first !== unnamedDimension);
  const other = named.find(({ shape: [first] }) => first !== named[0].shape[0]);
  return (
    other &&
    `the first axis of '${named[0].name}' is '${named[0].shape[0]}', that of '${other.name}' is '${other.shape[0]}'`
  );
}

/** The rows of a request: the longest first axis of its inputs, and at least one. */
export function rowCountOf(inputs: readonly Tensor[]): number {
  return inputs.reduce((most, { shape }) => Math.max(most, shape[0] ?? 1), 1);
}

/**
 * What a job has in common with those that it may be joined with: the inputs that it gives, all of their dimensions but the
 * first, and the outputs that it wants. Undefined for one that runs alone, since it has no rows or its inputs disagree on them.
 */
export function bucketOf({ inputs, outputNames }: InferenceJob): string | undefined {
  const rowCount = inputs[0]?.shape[0];
  if (!rowCount || inputs.some(({ shape }) => shape[0] !== rowCount)) return undefined;
  let bucket = "";
  for (const { name, shape } of inputs) {
    bucket += `${name.length}:${name}`;
    for (let axis = 1; axis < shape.length; axis++) bucket += `,${shape[axis]}`;
    bucket += ";";
  }
  for (const name of outputNames) bucket += `${name.length}:${name};`;
  return bucket;
}

function hasRows({ shape: [first] }: TensorSpec): boolean {
  return typeof first === "string" && first !== anyRank;
}
