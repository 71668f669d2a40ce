import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import type { LevelledLog } from "../../../lib/log.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { suiteVersion } from "../../../lib/suite-version.ts";
import type { InferenceConfig } from "../config.ts";
import type { ModelControl } from "../control/model-control.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import type { RequestCount } from "../request-count.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { inferHandlers } from "./infer.ts";
import { logSettingsHandlers } from "./log-settings.ts";
import { modelHandlers } from "./model.ts";
import { repositoryHandlers } from "./repository.ts";
import { extensionsOf, serverHandlers } from "./server.ts";
import { sharedMemoryHandlers } from "./shared-memory.ts";
import { statisticsHandlers } from "./statistics.ts";
import { traceSettingHandlers } from "./trace-setting.ts";

/** What the calls are answered from. */
export interface OpenInferenceParts {
  readonly config: InferenceConfig;
  readonly replicas: ReplicaSet;
  readonly models: ModelControl;
  readonly requests: RequestCount;
  readonly tracing: Tracing;
  readonly rootLog: LevelledLog;
  /** Whether requests are taken: false while starting and while draining. */
  readonly isReady: () => boolean;
}

/** Every call of the Open Inference Protocol that is served. */
export function openInferenceHandlers(parts: OpenInferenceParts): Handlers<GRPCInferenceServiceHandlers> {
  const { config, replicas, models, requests, tracing, rootLog, isReady } = parts;
  const facts = { name: config.serverName, version: suiteVersion(), extensions: extensionsOf(config), isReady };
  return {
    ...serverHandlers(facts),
    ...modelHandlers(replicas, models, config),
    ...repositoryHandlers(models, replicas, config),
    ...statisticsHandlers(replicas),
    ...sharedMemoryHandlers(),
    ...logSettingsHandlers(rootLog),
    ...traceSettingHandlers(tracing.settings, replicas, models),
    ...inferHandlers(replicas, requests, tracing, config),
  };
}

/** Called too often for a line per call. */
export const quietMethods = ["ServerLive", "ServerReady", "ModelReady", "ModelInfer", "ModelStreamInfer"];
