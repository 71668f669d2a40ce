import type { RouteTable } from "./route-table.ts";

/** One version, in the words of the Open Inference Protocol's model repository. */
export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly state: "READY" | "UNAVAILABLE";
  readonly reason: string;
}

/** Every version of the catalogue, by model and number: READY where a node has it ready. */
export function repositoryIndex({ models: routes }: RouteTable): IndexEntry[] {
  const models = [...routes.values()].sort((a, b) => (a.model < b.model ? -1 : 1));
  return models.flatMap(({ model, versions }) =>
    [...versions]
      .sort(([a], [b]) => a - b)
      .map(([version, { replicas, reason }]) => ({
        name: model,
        version: String(version),
        ...(replicas.length > 0
          ? ({ state: "READY", reason: "" } as const)
          : ({ state: "UNAVAILABLE", reason: reason || "it is not meant to be held" } as const)),
      })),
  );
}
