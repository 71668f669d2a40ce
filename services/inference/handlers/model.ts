import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { TensorSpec } from "../../../lib/tensor.ts";
import { stateOf } from "../replicas/model-table.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import { readyVersion, resolveVersion } from "../replicas/resolve.ts";
import { versionReference } from "./version-reference.ts";

/** What runs the models, in the protocol's words. */
const platform = "onnxruntime_onnx";

/** ModelReady and ModelMetadata. */
export function modelHandlers(replicas: Pick<ReplicaSet, "table">) {
  return {
    ModelReady: ({ name, version }, call) => {
      const entry = resolveVersion(replicas.table, name, versionReference(version, call));
      return { ready: stateOf(entry).kind === "ready" };
    },
    ModelMetadata: ({ name, version }, call) => {
      const { signature } = readyVersion(replicas.table, name, versionReference(version, call));
      return {
        name,
        versions: readyNumbers(replicas, name),
        platform,
        inputs: signature.inputs.map(metadataOf),
        outputs: signature.outputs.map(metadataOf),
      };
    },
  } satisfies Handlers<GRPCInferenceServiceHandlers>;
}

function readyNumbers({ table }: Pick<ReplicaSet, "table">, model: string): string[] {
  const entries = [...(table.get(model)?.versions.values() ?? [])];
  return entries.filter((entry) => stateOf(entry).kind === "ready").map(({ version }) => String(version));
}

function metadataOf({ name, dataType, shape }: TensorSpec) {
  return { name, datatype: dataType, shape: shape.map((size) => (typeof size === "number" ? size : -1)) };
}
