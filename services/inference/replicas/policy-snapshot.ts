import type { AspiredVersion } from "./aspired-version.ts";
import type { ReplicaState } from "./replica.ts";

/** A replica as the policy sees it. */
export interface HeldVersion {
  readonly aspired: AspiredVersion;
  readonly state: ReplicaState;
  /** When it last took a request, or was loaded; only compared with those of others. */
  readonly lastUsedMs: number;
  /** Whether it keeps what requests to come go on from. */
  readonly hasSequences: boolean;
}

/** Whether nothing is left of it but threads that do not come back: it takes memory, and nobody waits for its end. */
export function isLeftBehind({ state }: Pick<HeldVersion, "state">): boolean {
  return state.kind === "unloading" && state.isLeftBehind;
}

/** All that the policy decides from. */
export interface PolicySnapshot<Held extends HeldVersion> {
  readonly nowMs: number;
  /** In the order in which they should be loaded. */
  readonly aspired: readonly AspiredVersion[];
  readonly held: readonly Held[];
  /** Versions that may load at the same time. */
  readonly loadsMax: number;
  /** Memory for all versions that are loaded; Infinity sets no bound. */
  readonly budgetBytes: number;
  /** Whether requests wait for a version. */
  readonly isDemanded: (version: AspiredVersion) => boolean;
}
