import { systemClock } from "../../../lib/clock.ts";
import { Settings } from "../../../lib/env.ts";
import type { WatchRoutesResponse__Output } from "../../../lib/gen/amaas/registry/v1/WatchRoutesResponse.ts";
import { decodeMessage, encodeMessage } from "../../../lib/rpc/protos.ts";
import { readBalanceSettings } from "../../../services/gateway/balance/balance-settings.ts";
import { Balancer } from "../../../services/gateway/balance/balancer.ts";
import { Connections } from "../../../services/gateway/forward/connections.ts";
import { inferRequest } from "../../../services/gateway/ref-layouts.ts";
import { stepOf } from "../../../services/gateway/route-message.ts";
import type { RouteStep } from "../../../services/gateway/route-table.ts";
import { Router } from "../../../services/gateway/router.ts";
import { Routes } from "../../../services/gateway/routes.ts";
import { SequenceRouter } from "../../../services/gateway/sequence-router.ts";
import { largeModel, largeNodes, largeTable } from "../large-table.ts";

const random = Math.random;
const clock = systemClock;
const nodes = new Connections({ connectTimeoutMs: 1000 });
const balancer = new Balancer(
  { ...readBalanceSettings(new Settings({ AMAAS_ZONE: "zone-0" })) },
  { node: (address) => nodes.known(address), clock, random },
);
const routes = new Routes({ settle: async () => undefined, changed: () => undefined }, clock);
const sequences = new SequenceRouter({ sequencesMax: 1000, idleMs: 1000 }, clock);
const router = new Router({ routes, nodes, sequences, balancer, random });
let sequence = 0;

/** The table of a gateway, and all that it decides by, without calls. */
export function fill(): void {
  const models = Array.from({ length: largeTable.models }, (_, index) => largeModel(index));
  apply({ snapshot: { models, nodes: largeNodes() } });
  for (const { address } of largeNodes()) nodes.at(address!);
}

/**
 * What it takes from the bytes of a request to the address of a node, in microseconds of processor time, on average: by models that are
 * drawn by chance, so that little of the table is in a cache.
 */
export function decisionMicros(decisions: number): number {
  const requests = Array.from({ length: 4096 }, () =>
    encodeMessage("inference", "inference.ModelInferRequest", {
      modelName: `model-${Math.floor(random() * largeTable.models)}`,
      rawInputContents: [Buffer.alloc(340)],
    }),
  );
  let length = 0;
  const begin = process.cpuUsage();
  for (let count = 0; count < decisions; count++) {
    const way = router.way(router.refOf(requests[count % requests.length]!, inferRequest), {});
    length += way.choose(way.replicas).length;
  }
  const { user, system } = process.cpuUsage(begin);
  if (length === 0) throw new Error("nothing was chosen");
  return (user + system) / decisions;
}

/** How long each of so many changes takes to be applied, in milliseconds: the longest. Every other one is of a node. */
export function changeMillis(changes: number): number {
  const names = largeNodes();
  let longestMs = 0;
  for (let count = 0; count < changes; count++) {
    const step = decoded(
      count % 2 === 0
        ? { changed: largeModel(Math.floor(random() * largeTable.models), 1 + (count % 3)) }
        : { node: { ...names[count % names.length]!, capacity: 1 + (count % 64) } },
    );
    const beginMs = performance.now();
    routes.apply(step, { epoch: "bench", sequence: ++sequence });
    longestMs = Math.max(longestMs, performance.now() - beginMs);
  }
  return longestMs;
}

function apply(response: object): void {
  routes.apply(decoded(response), { epoch: "bench", sequence: ++sequence });
}

/** As it comes from the registry. */
function decoded(response: object): RouteStep {
  const type = "amaas.registry.v1.WatchRoutesResponse";
  const message = decodeMessage<WatchRoutesResponse__Output>("control", type, encodeMessage("control", type, response));
  return stepOf(message)!;
}
