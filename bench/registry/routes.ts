import { defaultAlias } from "../../lib/resource-names.ts";
import { beside, type Goal, inRounds, type Measured, quantile } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { modelId } from "./load/registry-calls.ts";
import { bareServer, registryCalls, simulatedGateways, simulatedNodes } from "./processes.ts";
import { startRegistry } from "./running-registry.ts";

const gateways = 50;
const nodes = 200;
const models = 100;
const rounds = 5;
const moves = { alias: defaultAlias, versions: [1, 2], count: 40, intervalMs: 50 } as const;
const goal: Goal = { of: "value", kind: "at most", bound: 100 };
const baselineOf = "bare grpc-js: one call that is told to 50 streams";

/** How long it takes from the call that moves an alias until all gateways know, with a fleet connected. */
export async function routes(place: Workplace): Promise<Measured[]> {
  const { address } = await startRegistry(place);
  const calls = registryCalls(place);
  const artifact = await calls.call("publish", address);
  await calls.call("fill", address, { artifact, firstModel: 0, models, versionsPerModel: 2, inFlight: 16 });
  // Both versions stay where they are, whatever the moved alias points at.
  await calls.call("point", address, models, "first", 1);
  await calls.call("point", address, models, "second", 2);
  await calls.call("pointDefaults", address, models);
  await calls.stop();

  const bareAddress = `127.0.0.1:${await bareServer(place).call("listenAndTell")}`;
  const watching = simulatedGateways(place);
  const ids = Array.from({ length: models }, (_, index) => modelId(index));
  await simulatedNodes(place).call("connectNodes", address, nodes);
  await watching.call("connectGateways", address, gateways);
  await watching.call("connectGateways", bareAddress, gateways);
  await watching.call("untilReady", address, ids, 2);

  const moved = (where: string) => async () => {
    const timesMs = await watching.call("move", where, { ...moves, models: ids });
    return { p99: quantile(timesMs, 0.99), p50: quantile(timesMs, 0.5) };
  };
  const figures = await inRounds(rounds, { bare: moved(bareAddress), registry: moved(address) });
  const side = (share: "p50" | "p99") =>
    beside(
      figures.registry.map((run) => run[share]),
      figures.bare.map((run) => run[share]),
    );
  const metric = `alias moved until ${gateways} gateways know, ${nodes} nodes`;
  return [
    { metric: `${metric}, p99`, unit: "ms", runs: side("p99"), baselineOf, goal },
    { metric: `${metric}, p50`, unit: "ms", runs: side("p50"), baselineOf },
  ];
}
