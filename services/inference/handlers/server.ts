import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { InferenceConfig } from "../config.ts";

/** What a server says of itself. */
export interface ServerFacts {
  readonly name: string;
  readonly version: string;
  /** The extensions of the protocol that work. */
  readonly extensions: readonly string[];
  /** Whether requests are taken: false while starting and while draining. */
  readonly isReady: () => boolean;
}

/** The extensions of the protocol that work on a node as it is set. */
export function extensionsOf({ modelControl }: Pick<InferenceConfig, "modelControl">): readonly string[] {
  const always = [
    "classification",
    "sequence",
    "schedule_policy",
    "model_configuration",
    "parameters",
    "statistics",
    "trace",
    "logging",
  ];
  return modelControl === "explicit" ? [...always, "model_repository", "model_repository(unload_dependents)"] : always;
}

/** ServerLive, ServerReady, ServerMetadata. */
export function serverHandlers({ name, version, extensions, isReady }: ServerFacts) {
  return {
    ServerLive: () => ({ live: true }),
    ServerReady: () => ({ ready: isReady() }),
    ServerMetadata: () => ({ name, version, extensions: [...extensions] }),
  } satisfies Handlers<GRPCInferenceServiceHandlers>;
}
