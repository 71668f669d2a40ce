import { Connection, type ConnectionConfig } from "./connection.ts";

/** The connections of all nodes, by address. */
export class Connections {
  readonly #config: ConnectionConfig;
  readonly #byAddress = new Map<string, NodeConnections>();

  constructor(config: ConnectionConfig) {
    this.#config = config;
  }

  /** That of a node for calls with one message, made on first use. */
  at(address: string): Connection {
    return this.#of(address).forCalls;
  }

  /** That of a node for streams, made on first use. */
  forStreams(address: string): Connection {
    return this.#of(address).forStreams;
  }

  /** How a node is that was used before. */
  known(address: string): Omit<NodeConnections, "close"> | undefined {
    return this.#byAddress.get(address);
  }

  /** Those that were used before, by address. */
  all(): Iterable<readonly [string, Omit<NodeConnections, "close">]> {
    return this.#byAddress;
  }

  /** False while a node cannot be reached. */
  isReachable(address: string): boolean {
    return this.#byAddress.get(address)?.isReachable ?? true;
  }

  /** Forgets idle connections whose address is not among these. */
  retain(addresses: ReadonlySet<string>): void {
    for (const [address, connections] of this.#byAddress) {
      if (addresses.has(address) || connections.outstanding > 0) continue;
      connections.close();
      this.#byAddress.delete(address);
    }
  }

  close(): void {
    for (const connections of this.#byAddress.values()) connections.close();
    this.#byAddress.clear();
  }

  #of(address: string): NodeConnections {
    let connections = this.#byAddress.get(address);
    if (connections === undefined) {
      connections = new NodeConnections(address, this.#config);
      this.#byAddress.set(address, connections);
    }
    return connections;
  }
}

/**
 * The two connections of a node: one that all calls with one message share, and one that all streams share, of which less is held for
 * those who read slowly, since they last.
 */
class NodeConnections {
  readonly forCalls: Connection;
  readonly forStreams: Connection;

  constructor(address: string, config: ConnectionConfig) {
    this.forCalls = new Connection(address, config);
    this.forStreams = new Connection(address, config, streamWindowBytes);
  }

  /** Calls and streams that have begun and not ended. */
  get outstanding(): number {
    return this.forCalls.outstanding + this.forStreams.outstanding;
  }

  /** False from a failed attempt to connect until a successful one; attempts go on by themselves. */
  get isReachable(): boolean {
    return this.forCalls.isReachable && this.forStreams.isReachable;
  }

  /** When it was connected again after a loss, by `performance.now()`; -Infinity where it never was. */
  get reconnectedMs(): number {
    return Math.max(this.forCalls.reconnectedMs, this.forStreams.reconnectedMs);
  }

  close(): void {
    this.forCalls.close();
    this.forStreams.close();
  }
}

/** What a stream may be ahead of a slow reader, besides 64 KiB on the caller's side and what the system's sockets hold. */
const streamWindowBytes = 192 * 1024;
