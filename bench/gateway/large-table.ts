import type { ModelRoute } from "../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { NodeRoute } from "../../lib/gen/amaas/registry/v1/NodeRoute.ts";

/** How large a route table is. */
export const largeTable = { models: 10_000, versions: 3, nodes: 500, replicas: 5 } as const;

/** The nodes of a large table, by turns in three zones, with 4, 8, 16 and 32 cores. */
export function largeNodes(): NodeRoute[] {
  return Array.from({ length: largeTable.nodes }, (_, index) => ({
    address: `10.0.${index >> 8}.${index & 255}:8301`,
    zone: `zone-${index % 3}`,
    capacity: 4 << (index % 4),
  }));
}

/** A model of it: each of its versions has its replicas on nodes of its own. */
export function largeModel(index: number, target = 1): ModelRoute {
  const { nodes } = largeTable;
  const names = largeNodes();
  const addressOf = (version: number, replica: number) =>
    names[(index * 7 + version * 131 + replica * 97) % nodes]!.address!;
  return {
    model: `model-${index}`,
    versions: Array.from({ length: largeTable.versions }, (_, version) => ({
      version: version + 1,
      addresses: Array.from({ length: largeTable.replicas }, (_, replica) => addressOf(version, replica)),
    })),
    aliases: {
      default: {
        targets: [
          { version: target, weight: 9 },
          { version: largeTable.versions, weight: 1 },
        ],
      },
    },
  };
}
