import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { ModelControl } from "../control/model-control.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import { resolveVersion } from "../replicas/resolve.ts";
import { readTraceChange } from "../tracing/trace-settings.ts";
import type { TraceTable } from "../tracing/trace-table.ts";

/** TraceSetting: reads and changes what is traced, of one model or of all. */
export function traceSettingHandlers(
  traces: TraceTable,
  replicas: Pick<ReplicaSet, "table">,
  control: Pick<ModelControl, "isAssigned">,
) {
  return {
    TraceSetting: ({ modelName, settings }) => {
      // One that clients may load has settings too.
      if (modelName !== "" && !control.isAssigned(modelName, "")) resolveVersion(replicas.table, modelName, "");
      traces.change(modelName, readTraceChange(settings));
      const shown = Object.entries(traces.settings(modelName));
      return { settings: Object.fromEntries(shown.map(([name, value]) => [name, { value: [String(value)] }])) };
    },
  } satisfies Handlers<GRPCInferenceServiceHandlers>;
}
