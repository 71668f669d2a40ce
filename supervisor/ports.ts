import { createServer } from "node:net";
import { SettingError } from "../lib/env.ts";
import { portSettings, type ServiceName, type SuiteConfig, serviceNames } from "./config.ts";

/** Throws a `SettingError` that names the first port on which another program listens already. */
export async function checkPortsAreFree(config: SuiteConfig): Promise<void> {
  for (const name of serviceNames) {
    if (config.ports[name] !== 0) await checkPortIsFree(name, config);
  }
}

function checkPortIsFree(name: ServiceName, { host, ports }: SuiteConfig): Promise<void> {
  return new Promise((settle, fail) => {
    const server = createServer();
    server.once("error", (failure: NodeJS.ErrnoException) => fail(portError(name, ports[name], host, failure)));
    server.listen(ports[name], bare(host), () => server.close(() => settle()));
  });
}

function portError(name: ServiceName, port: number, host: string, failure: NodeJS.ErrnoException): Error {
  const { variable } = portSettings[name];
  if (failure.code === "EADDRINUSE") {
    return new SettingError(
      variable,
      String(port),
      `a free port for the ${name} (another program listens on ${host}:${port})`,
    );
  }
  if (failure.code === "EACCES") return new SettingError(variable, String(port), "a port that this user may listen on");
  return new SettingError("AMAAS_HOST", host, `an address of this machine (${failure.message})`);
}

/** How a process on this machine reaches a listener of `host`: wildcards stand for every address, so any will do. */
export function reachableHost(host: string): string {
  const address = bare(host);
  if (address === "0.0.0.0") return "127.0.0.1";
  if (address === "::") return "[::1]";
  return address.includes(":") ? `[${address}]` : address;
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}
