import { type ServiceProcess, spawnService } from "../service-process.ts";

/** A registry as a process of its own, to be killed. */
export type RegistryProcess = ServiceProcess;

/** Starts one on a folder and any free port; see `spawnService`. */
export function spawnRegistry(
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<RegistryProcess> {
  return spawnService("registry", dataDir, { AMAAS_REGISTRY_PORT: "0", ...settings });
}
