import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";

/** What a server says of itself. */
export interface ServerFacts {
  readonly name: string;
  readonly version: string;
  /** Whether requests are taken: false while starting and while draining. */
  readonly isReady: () => boolean;
}

/** The extensions of the protocol that work here. */
const extensions: string[] = [];

/** ServerLive, ServerReady, ServerMetadata. */
export function serverHandlers({ name, version, isReady }: ServerFacts) {
  return {
    ServerLive: () => ({ live: true }),
    ServerReady: () => ({ ready: isReady() }),
    ServerMetadata: () => ({ name, version, extensions }),
  } satisfies Handlers<GRPCInferenceServiceHandlers>;
}
