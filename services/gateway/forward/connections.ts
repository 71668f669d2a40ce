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

  /** The connection of an address that was used before. */
  known(address: string): Connection | undefined {
    return this.#byAddress.get(address);
  }

  /** False while an address cannot be reached. */
  isReachable(address: string): boolean {
    return this.#byAddress.get(address)?.isReachable ?? true;
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
