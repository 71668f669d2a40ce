import { Upstream, type UpstreamConfig } from "./upstream.ts";

/** One upstream per address, so that all calls to a node share its connection. */
export class Upstreams {
  readonly #config: UpstreamConfig;
  readonly #byAddress = new Map<string, Upstream>();

  constructor(config: UpstreamConfig) {
    this.#config = config;
  }

  /** The upstream of an address, made on first use. */
  at(address: string): Upstream {
    let upstream = this.#byAddress.get(address);
    if (upstream === undefined) {
      upstream = new Upstream(address, this.#config);
      this.#byAddress.set(address, upstream);
    }
    return upstream;
  }

  /** How busy an address is: its outstanding calls, Infinity while it cannot be reached. */
  load(address: string): number {
    const upstream = this.#byAddress.get(address);
    if (upstream === undefined) return 0;
    return upstream.reachable ? upstream.outstanding : Infinity;
  }

  /** Forgets idle upstreams whose address is not among these. */
  retain(addresses: ReadonlySet<string>): void {
    for (const [address, upstream] of this.#byAddress) {
      if (addresses.has(address) || upstream.outstanding > 0) continue;
      upstream.close();
      this.#byAddress.delete(address);
    }
  }

  close(): void {
    for (const upstream of this.#byAddress.values()) upstream.close();
    this.#byAddress.clear();
  }
}
