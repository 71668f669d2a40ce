import { type AspiredVersion, isSameVersion, type VersionPolicy } from "./aspired-version.ts";
import type { Placement } from "./placement.ts";
import type { Replica, ReplicaState } from "./replica.ts";

/** What a node knows of its models, by id. */
export type ModelTable = ReadonlyMap<string, ModelEntry>;

/** What a node knows of one model. */
export interface ModelEntry {
  /** By number, ascending. */
  readonly versions: ReadonlyMap<number, VersionEntry>;
  /** Numbers by alias id. */
  readonly aliases: ReadonlyMap<string, number>;
  /** Of the versions that should be held; undefined where the registry's own setting says it. */
  readonly versionPolicy: VersionPolicy | undefined;
}

/** What a node knows of one version. */
export interface VersionEntry {
  readonly model: string;
  readonly version: number;
  /** The id of the variant that is held, or will be. */
  readonly variant: string;
  /** What it runs on; until it has been loaded, what it prefers. */
  readonly placement: Placement;
  /** Absent until its turn to load has come; dormant where it has failed and is loaded by the next request. */
  readonly replica: Replica | undefined;
  /** Whether it is loaded by its first request. */
  readonly isOnDemand: boolean;
  /** Why it cannot be loaded for want of memory. */
  readonly refusal: string | undefined;
  /** Why it could not be loaded as it should be by now, while what is held is as it was; empty where there is no such failure. */
  readonly exchangeFailure: string;
}

/** The table of what should be held, what has no room, and what is held; what is being unloaded is no longer in it. */
export function modelTable(
  aspired: readonly AspiredVersion[],
  refusals: ReadonlyMap<AspiredVersion, string>,
  held: readonly Replica[],
): ModelTable {
  const staying = held.filter(({ state }) => state.kind !== "unloading");
  const known = [...aspired, ...staying.map((replica) => replica.aspired)];
  const models = [...new Set(known.map(({ model }) => model))].sort();
  return new Map(
    models.map((model) => {
      const isOfModel = (version: AspiredVersion) => version.model === model;
      const replicas = staying.filter((replica) => isOfModel(replica.aspired));
      return [model, entryOf(aspired.filter(isOfModel), refusals, replicas)];
    }),
  );
}

/** A version that takes requests. */
export interface ReadyEntry extends VersionEntry {
  readonly replica: Replica;
}

/** The versions of some models that take requests. */
export function readyEntries(models: Iterable<ModelEntry>): readonly ReadyEntry[] {
  const entries = [...models].flatMap(({ versions }) => [...versions.values()]);
  return entries.filter((entry): entry is ReadyEntry => stateOf(entry).kind === "ready");
}

/** How far a version is; what waits for its turn counts as loading. */
export function stateOf({ replica, isOnDemand, refusal }: VersionEntry): ReplicaState {
  if (replica !== undefined && replica.state.kind !== "dormant") return replica.state;
  if (refusal !== undefined) return refusedState(refusal);
  return { kind: isOnDemand ? "dormant" : "loading" };
}

/** That of a version for which there is no memory: it is loaded when there is, not after some time. */
export function refusedState(reason: string): ReplicaState {
  return { kind: "failed", reason, retryAtMs: Infinity };
}

/** Whether requests to a version are answered, though they may have to wait until it is loaded. */
export function takesRequests(entry: VersionEntry): boolean {
  const { kind } = stateOf(entry);
  return kind === "ready" || kind === "dormant" || (kind === "loading" && entry.isOnDemand);
}

function entryOf(
  aspired: readonly AspiredVersion[],
  refusals: ReadonlyMap<AspiredVersion, string>,
  held: readonly Replica[],
): ModelEntry {
  const numbers = [...aspired, ...held.map((replica) => replica.aspired)].map(({ version }) => version);
  return {
    versions: new Map(
      [...new Set(numbers)]
        .sort((a, b) => a - b)
        .map((number) => [number, versionEntry(number, aspired, refusals, held)]),
    ),
    aliases: new Map(aspired.flatMap(({ aliases, version }) => aliases.map((alias) => [alias, version] as const))),
    versionPolicy: aspired[0]?.versionPolicy,
  };
}

/** A version may be held twice while it is exchanged: the one that is ready counts. */
function versionEntry(
  number: number,
  aspired: readonly AspiredVersion[],
  refusals: ReadonlyMap<AspiredVersion, string>,
  held: readonly Replica[],
): VersionEntry {
  const replicas = held.filter((replica) => replica.aspired.version === number);
  const replica = replicas.find(({ state }) => state.kind === "ready") ?? replicas.at(-1);
  const wanted = aspired.find((one) => one.version === number);
  const { model, version, content, settings } = replica?.aspired ?? wanted!;
  const preferred = { executionProvider: settings.executionProviders[0] ?? "", fallbackProviders: [] };
  return {
    model,
    version,
    variant: content.variant,
    placement: replica?.placement ?? preferred,
    replica,
    isOnDemand: wanted?.isOnDemand ?? false,
    refusal: wanted && refusals.get(wanted),
    exchangeFailure: (wanted && replica && exchangeFailure(wanted, replica, replicas, refusals)) ?? "",
  };
}

function exchangeFailure(
  wanted: AspiredVersion,
  { aspired }: Replica,
  replicas: readonly Replica[],
  refusals: ReadonlyMap<AspiredVersion, string>,
): string | undefined {
  if (isSameVersion(aspired, wanted)) return undefined;
  const state = replicas.find((other) => isSameVersion(other.aspired, wanted))?.state;
  return state?.kind === "failed" ? state.reason : refusals.get(wanted);
}
