import { aliasName, defaultAlias, versionName } from "../../lib/resource-names.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { beside, type Goal, inRounds, type Measured } from "../harness/figures.ts";
import { cpuSeconds } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { emptyPath } from "./load/bare-server.ts";
import { modelId } from "./load/registry-calls.ts";
import { bareServer, registryCalls, unaryLoad } from "./processes.ts";
import { startRegistry } from "./running-registry.ts";

const models = 100;
const versionsPerModel = 10;
const rounds = 9;
const load = { connections: 4, inFlightPerConnection: 8, durationMs: 2000 };
const baselineOf = "an empty handler of bare grpc-js";
const goal: Goal = { of: "ratio", kind: "at least", bound: 0.8 };

/** How many calls that read are answered per second, and what they cost, beside what grpc-js alone does. */
export async function reads(place: Workplace): Promise<Measured[]> {
  const registry = await startRegistry(place);
  const bare = bareServer(place);
  const barePort = await bare.call("listenEmpty");
  const calls = registryCalls(place);
  const artifact = await calls.call("publish", registry.address);
  await calls.call("fill", registry.address, { artifact, firstModel: 0, models, versionsPerModel, inFlight: 16 });
  await calls.call("pointDefaults", registry.address, models);
  await calls.stop();

  const caller = unaryLoad(place);
  const measured = (server: { readonly pid: number }, port: number, path: string, requests: readonly string[]) => {
    return async () => {
      const before = await cpuSeconds(server.pid);
      const { calls: answered, seconds } = await caller.call("rate", { ...load, port, path, requests });
      return { rate: answered / seconds, cpu: (((await cpuSeconds(server.pid)) - before) / answered) * 1e6 };
    };
  };
  const figures = await inRounds(rounds, {
    bare: measured(bare, barePort, emptyPath, [""]),
    GetVersion: measured(registry, registry.port, `${service}/GetVersion`, versionRequests()),
    ResolveAlias: measured(registry, registry.port, `${service}/ResolveAlias`, aliasRequests()),
  });
  const side = (method: "GetVersion" | "ResolveAlias", figure: "rate" | "cpu") =>
    beside(
      figures[method].map((run) => run[figure]),
      figures.bare.map((run) => run[figure]),
    );
  return (["GetVersion", "ResolveAlias"] as const).flatMap((method) => [
    { metric: `${method}, calls answered`, unit: "1/s", runs: side(method, "rate"), baselineOf, goal },
    { metric: `${method}, processor time per call`, unit: "µs", runs: side(method, "cpu"), baselineOf },
  ]);
}

const service = "/amaas.registry.v1.RegistryService";

function versionRequests(): string[] {
  const names = Array.from({ length: models * versionsPerModel }, (_, index) =>
    versionName(modelId(index % models), Math.floor(index / models) + 1),
  );
  return names.map((name) => encoded("GetVersionRequest", { name }));
}

function aliasRequests(): string[] {
  const names = Array.from({ length: models }, (_, index) => aliasName(modelId(index), defaultAlias));
  return names.map((name) => encoded("ResolveAliasRequest", { name }));
}

function encoded(type: string, message: object): string {
  return encodeMessage("registry", `amaas.registry.v1.${type}`, message).toString("base64");
}
