import type { AspiredVersion } from "../replicas/aspired-version.ts";
import type { HeldVersion } from "../replicas/policy-snapshot.ts";
import type { ReplicaState } from "../replicas/replica.ts";
import type { ModelChoice } from "./model-choices.ts";

/** How far a version of the repository is, in Triton's words. */
export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly state: "READY" | "LOADING" | "UNLOADING" | "UNAVAILABLE";
  readonly reason: string;
}

/** What else the index says of versions. */
export interface IndexQuestions {
  readonly choiceOf: (model: string) => ModelChoice;
  /** Why one cannot be loaded for want of memory. */
  readonly refusalOf: (version: AspiredVersion) => string | undefined;
}

/** Every version that is assigned or held, by model and number. */
export function repositoryIndex(
  assigned: readonly AspiredVersion[],
  held: readonly HeldVersion[],
  { choiceOf, refusalOf }: IndexQuestions,
): IndexEntry[] {
  const versions = [...assigned, ...held.map(({ aspired }) => aspired)];
  const byName = new Map(versions.map((version) => [`${version.model}/${version.version}`, version]));
  const sorted = [...byName.values()].sort((a, b) =>
    a.model === b.model ? a.version - b.version : a.model < b.model ? -1 : 1,
  );
  const states = new Map<string, ReplicaState[]>();
  for (const { aspired, state } of held) {
    const name = `${aspired.model}/${aspired.version}`;
    states.set(name, [...(states.get(name) ?? []), state]);
  }
  return sorted.map((one) => ({
    name: one.model,
    version: String(one.version),
    ...stateOf(states.get(`${one.model}/${one.version}`) ?? [], choiceOf(one.model), refusalOf(one), one.isOnDemand),
  }));
}

/** Of several states of one version, that which matters most to callers. */
function stateOf(
  states: readonly ReplicaState[],
  choice: ModelChoice,
  refusal: string | undefined,
  isOnDemand: boolean,
): Pick<IndexEntry, "state" | "reason"> {
  const has = (kind: ReplicaState["kind"]) => states.some((state) => state.kind === kind);
  if (has("ready")) return { state: "READY", reason: "" };
  if (has("loading")) return { state: "LOADING", reason: "" };
  const failed = states.find((state) => state.kind === "failed");
  if (failed !== undefined) return { state: "UNAVAILABLE", reason: failed.reason };
  if (has("unloading")) return { state: "UNLOADING", reason: "" };
  if (choice.kind === "unloaded") return { state: "UNAVAILABLE", reason: choice.reason };
  if (refusal !== undefined) return { state: "UNAVAILABLE", reason: refusal };
  if (isOnDemand) return { state: "READY", reason: "loaded by its first request" };
  return { state: "LOADING", reason: "" };
}
