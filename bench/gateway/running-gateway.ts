import { spawn } from "node:child_process";
import { EventEmitter, on, once } from "node:events";
import { openSync } from "node:fs";
import { extname, join } from "node:path";
import { setTimeout as passed } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ControlServiceHandlers } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { ModelRoute } from "../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { NodeRoute } from "../../lib/gen/amaas/registry/v1/NodeRoute.ts";
import type { RouteTable } from "../../lib/gen/amaas/registry/v1/RouteTable.ts";
import type { WatchRoutesResponse } from "../../lib/gen/amaas/registry/v1/WatchRoutesResponse.ts";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { createLog } from "../../lib/log.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { freePort } from "../harness/free-port.ts";
import type { Workplace } from "../harness/scenario.ts";

/** What a registry says has changed. */
export type Change = Pick<WatchRoutesResponse, "changed" | "node">;

/** A gateway with settings of its own. */
export interface GatewayOptions {
  readonly nodes?: readonly NodeRoute[];
  /** In the folder of the scenario, of this gateway alone. */
  readonly folder?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts a gateway as a process of its own that has these routes, and others once they are pushed; it ends with the scenario. */
export async function startGateway(place: Workplace, routes: readonly ModelRoute[], options: GatewayOptions = {}) {
  const { nodes = [], folder = "", env = {} } = options;
  const changes = new EventEmitter();
  const registry = await startRoutes(place, { models: [...routes], nodes: [...nodes] }, changes);
  const metricsPort = await freePort();
  const httpPort = await freePort();
  const main = fileURLToPath(new URL(`../../services/gateway/main${extname(import.meta.url)}`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, main], {
    env: {
      ...place.env,
      ...env,
      AMAAS_DATA_DIR: join(place.folder, folder),
      AMAAS_GATEWAY_PORT: "0",
      AMAAS_GATEWAY_HTTP_PORT: String(httpPort),
      AMAAS_GATEWAY_METRICS_PORT: String(metricsPort),
      AMAAS_REGISTRY_ADDRESS: registry,
      AMAAS_LOG_LEVEL: "warn",
    },
    stdio: ["ignore", openSync(join(place.folder, "gateway.log"), "a"), "inherit", "ipc"],
  });
  place.atEnd(async () => {
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  });
  const [message] = await once(child, "message");
  const { port } = message as { readonly port: number };
  const client = new RpcClient<GRPCInferenceServiceDefinition>("inference.GRPCInferenceService", `127.0.0.1:${port}`);
  while (!(await client.unary("ServerReady", {})).ready) await passed(5);
  client.close();
  return { pid: child.pid!, port, httpPort, metricsPort, push: (change: Change) => changes.emit("change", change) };
}

/** Of one model with one version on one node. */
export function routeOf(model: string, address: string): ModelRoute {
  return {
    model,
    versions: [{ version: 1, addresses: [address] }],
    aliases: { default: { targets: [{ version: 1, weight: 1 }] } },
  };
}

/** As much of a registry as a gateway needs; answers its address. */
async function startRoutes(place: Workplace, snapshot: RouteTable, changes: EventEmitter): Promise<string> {
  const config = { host: "127.0.0.1", port: 0, messageBytesMax: 2 ** 28, drainTimeoutMs: 0 };
  const server = new RpcServer(config, createLog("routes", "silent"));
  server.implement<ControlServiceHandlers>("amaas.registry.v1.ControlService", {
    WatchRoutes: async function* (_, { signal }) {
      const pushed = on(changes, "change", { signal });
      let sequence = 1;
      yield { epoch: "bench", sequence, snapshot };
      for await (const [change] of pushed) yield { epoch: "bench", sequence: ++sequence, ...(change as Change) };
    },
  });
  place.atEnd(() => server.stop());
  return `127.0.0.1:${await server.start()}`;
}
