import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { extname, join } from "node:path";
import { setTimeout as passed } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ControlServiceHandlers } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { ModelRoute } from "../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { createLog } from "../../lib/log.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import type { Workplace } from "../harness/scenario.ts";

/** Starts a gateway as a process of its own that has these routes; it ends with the scenario. */
export async function startGateway(place: Workplace, routes: readonly ModelRoute[]) {
  const registry = await startRoutes(place, routes);
  const main = fileURLToPath(new URL(`../../services/gateway/main${extname(import.meta.url)}`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, main], {
    env: {
      ...place.env,
      AMAAS_DATA_DIR: place.folder,
      AMAAS_GATEWAY_PORT: "0",
      AMAAS_GATEWAY_HTTP: "off",
      AMAAS_GATEWAY_METRICS_PORT: "0",
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
  return { pid: child.pid!, port };
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
async function startRoutes(place: Workplace, models: readonly ModelRoute[]): Promise<string> {
  const config = { host: "127.0.0.1", port: 0, messageBytesMax: 2 ** 28, drainTimeoutMs: 0 };
  const server = new RpcServer(config, createLog("routes", "silent"));
  server.implement<ControlServiceHandlers>("amaas.registry.v1.ControlService", {
    WatchRoutes: async function* (_, { signal }) {
      yield { epoch: "bench", sequence: 1, snapshot: { models: [...models] } };
      await once(signal, "abort");
    },
  });
  place.atEnd(() => server.stop());
  return `127.0.0.1:${await server.start()}`;
}
