import { Connection, type ConnectionConfig } from "./connection.ts";

/** One connection per address, so that all calls to a node share its connection. */
export class Connections {
  readonly #config: ConnectionConfig;
  readonly #byAddress = new Map<string, Connection>();

  constructor(config: ConnectionConfig) {
    this.#config = config;
  }

  /** The connection of an address, made on first use. */
  at(address: string): Connection {
    let connection = this.#byAddress.get(address);
    if (connection === undefined) {
      connection = new Connection(address, this.#config);
      this.#byAddress.set(address, connection);
    }
    return connection;
  }

  /** How busy an address is: its outstanding calls, Infinity while it cannot be reached. */
  load(address: string): number {
    const connection = this.#byAddress.get(address);
    if (connection === undefined) return 0;
    return connection.isReachable ? connection.outstanding : Infinity;
  }

  /** Forgets idle connections whose address is not among these. */
  retain(addresses: ReadonlySet<string>): void {
    for (const [address, connection] of this.#byAddress) {
      if (addresses.has(address) || connection.outstanding > 0) continue;
      connection.close();
      this.#byAddress.delete(address);
    }
  }

  close(): void {
    for (const connection of this.#byAddress.values()) connection.close();
    this.#byAddress.clear();
  }
}
