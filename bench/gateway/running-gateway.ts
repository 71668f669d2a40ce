import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RouteTable } from "../../services/gateway/route-table.ts";
import { textOfTable } from "../../services/gateway/route-text.ts";
import type { Workplace } from "../harness/scenario.ts";

/** Starts a gateway as a process of its own with the last table on its disk and no registry; it ends with the scenario. */
export async function startGateway(place: Workplace, table: RouteTable) {
  await mkdir(join(place.folder, "gateway"), { recursive: true });
  const text = textOfTable({ table, position: { epoch: "bench", sequence: 1 } });
  await writeFile(join(place.folder, "gateway", "routes.json"), text);
  const main = fileURLToPath(new URL(`../../services/gateway/main${extname(import.meta.url)}`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, main], {
    // Nobody answers at the registry's address.
    env: {
      ...place.env,
      AMAAS_DATA_DIR: place.folder,
      AMAAS_GATEWAY_PORT: "0",
      AMAAS_REGISTRY_ADDRESS: "127.0.0.1:1",
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
  return { pid: child.pid!, port: (message as { readonly port: number }).port };
}

/** A table of one model with one version on one node. */
export function oneModel(model: string, address: string): RouteTable {
  const versions = new Map([[1, { replicas: [address], reason: "" }]]);
  const aliases = new Map([["default", { targets: [{ version: 1, weight: 1 }], mirrors: [] }]]);
  return new Map([[model, { model, versions, aliases }]]);
}
