import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { SettingError } from "../lib/env.ts";
import { type NamedPort, portSettings, type ServiceName, type SuiteConfig, serviceNames } from "./config.ts";

/** Throws a `SettingError` that names the first port on which another program listens already. */
export async function checkPortsAreFree(config: SuiteConfig): Promise<void> {
  const named = serviceNames.map((name) => ({
    variable: portSettings[name].variable,
    port: config.ports[name],
    what: `the ${name}`,
  }));
  for (const port of [...named, ...config.sidePorts]) if (port.port !== 0) await checkPortIsFree(port, config.host);
}

/** A port that nobody else gets until it is let go. */
export interface KeptPort {
  readonly port: number;
  /** Settles once it is free; may be called again. */
  letGo(): Promise<void>;
}

/** A port of a host, chosen by the system, for a service. Throws a `SettingError` where there is none. */
export async function keptPort(host: string, name: ServiceName): Promise<KeptPort> {
  const server = createServer().listen(0, bare(host));
  await once(server, "listening").catch((failure) => {
    throw portError({ variable: portSettings[name].variable, port: 0, what: `the ${name}` }, host, failure);
  });
  const letGo = () => new Promise<void>((settle) => void server.close(() => settle()));
  return { port: (server.address() as AddressInfo).port, letGo };
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
