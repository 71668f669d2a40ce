import type { AspiredVersion } from "./aspired-version.ts";
import type { Replica, ReplicaState } from "./replica.ts";

/** What a node knows of its models, by id. */
export type ModelTable = ReadonlyMap<string, ModelEntry>;

/** What a node knows of one model. */
export interface ModelEntry {
  /** By number, ascending. */
  readonly versions: ReadonlyMap<number, VersionEntry>;
  /** Numbers by alias id. */
  readonly aliases: ReadonlyMap<string, number>;
}

/** What a node knows of one version. */
export interface VersionEntry {
  readonly model: string;
  readonly version: number;
  /** Absent until its turn to load has come. */
  readonly replica: Replica | undefined;
}

/** The table of what should be held and what is held; what is being unloaded is no longer in it. */
export function modelTable(aspired: readonly AspiredVersion[], held: readonly Replica[]): ModelTable {
  const staying = held.filter(({ state }) => state.kind !== "unloading");
  const known = [...aspired, ...staying.map((replica) => replica.aspired)];
  const models = [...new Set(known.map(({ model }) => model))].sort();
  return new Map(models.map((model) => [model, entryOf(model, aspired, known, staying)]));
}

/** How far a version is; what waits for its turn counts as loading. */
export function stateOf({ replica }: VersionEntry): ReplicaState {
  return replica?.state ?? { kind: "loading" };
}

function entryOf(
  model: string,
  aspired: readonly AspiredVersion[],
  known: readonly AspiredVersion[],
  held: readonly Replica[],
): ModelEntry {
  const numbers = known.filter((version) => version.model === model).map(({ version }) => version);
  const replicaOf = (number: number) =>
    held.find((replica) => replica.aspired.model === model && replica.aspired.version === number);
  return {
    versions: new Map(
      [...new Set(numbers)]
        .sort((a, b) => a - b)
        .map((version) => [version, { model, version, replica: replicaOf(version) }]),
    ),
    aliases: new Map(
      aspired
        .filter((version) => version.model === model)
        .flatMap(({ aliases, version }) => aliases.map((alias) => [alias, version] as const)),
    ),
  };
}
