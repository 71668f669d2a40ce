import { createServer } from "node:net";
import { SettingError } from "../lib/env.ts";
import { type NamedPort, portSettings, type SuiteConfig, serviceNames } from "./config.ts";

/** Throws a `SettingError` that names the first port on which another program listens already. */
export async function checkPortsAreFree(config: SuiteConfig): Promise<void> {
  const named = serviceNames.map((name) => ({
    variable: portSettings[name].variable,
    port: config.ports[name],
    what: `the ${name}`,
  }));
  for (const port of [...named, ...config.sidePorts]) if (port.port !== 0) await checkPortIsFree(port, config.host);
}

function checkPortIsFree(named: NamedPort, host: string): Promise<void> {
  return new Promise((settle, fail) => {
    const server = createServer();
    server.once("error", (failure: NodeJS.ErrnoException) => fail(portError(named, host, failure)));
    server.listen(named.port, bare(host), () => server.close(() => settle()));
  });
}

function portError({ variable, port, what }: NamedPort, host: string, failure: NodeJS.ErrnoException): Error {
  if (failure.code === "EADDRINUSE") {
    return new SettingError(
      variable,
      String(port),
      `a free port for ${what} (another program listens on ${host}:${port})`,
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
