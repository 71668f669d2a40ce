import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { TensorSpec } from "../../../lib/tensor.ts";
import type { ModelControl } from "../control/model-control.ts";
import { readyEntries, takesRequests } from "../replicas/model-table.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import { resolveVersion } from "../replicas/resolve.ts";
import { type ConfigDefaults, modelConfig, platform } from "./model-config.ts";
import { modelReference } from "./model-reference.ts";
import { shapeOf } from "./shape-message.ts";

/** ModelReady, ModelMetadata and ModelConfig. */
export function modelHandlers(
  replicas: Pick<ReplicaSet, "table" | "ready">,
  control: Pick<ModelControl, "isAssigned">,
  node: ConfigDefaults,
) {
  return {
    ModelReady: ({ name, version: named }, call) => {
      const { model, version } = modelReference({ model: name, version: named }, call);
      try {
        return { ready: takesRequests(resolveVersion(replicas.table, model, version)) };
      } catch (failure) {
        // What is there and not loaded is an answer, as in Triton.
        if (control.isAssigned(model, version)) return { ready: false };
        throw failure;
      }
    },
    ModelMetadata: async ({ name, version: named }, call) => {
      const { model, version } = modelReference({ model: name, version: named }, call);
      const { signature } = await replicas.ready(model, version, call);
      return {
        name: model,
        versions: readyNumbers(replicas, model),
        platform,
        inputs: signature.inputs.map(metadataOf),
        outputs: signature.outputs.map(metadataOf),
      };
    },
    ModelConfig: async ({ name, version: named }, call) => {
      const { model, version } = modelReference({ model: name, version: named }, call);
      const ready = await replicas.ready(model, version, call);
      return { config: modelConfig(ready.replica.aspired, ready, node, replicas.table.get(model)!) };
    },
  } satisfies Handlers<GRPCInferenceServiceHandlers>;
}

function readyNumbers({ table }: Pick<ReplicaSet, "table">, model: string): string[] {
  const entry = table.get(model);
  return entry === undefined ? [] : readyEntries([entry]).map(({ version }) => String(version));
}

function metadataOf({ name, dataType, shape }: TensorSpec) {
  return { name, datatype: dataType, shape: shapeOf(shape) };
}
