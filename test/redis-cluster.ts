import { Redis } from "ioredis";
import { freePorts } from "./free-ports.ts";
import { PrivateRedis } from "./private-redis.ts";

/** A Redis Cluster of a test's own: three nodes, each with a third of the slots. */
export class RedisCluster {
  #nodes: readonly PrivateRedis[] = [];
  url = "";

  async start(): Promise<void> {
    const ports = await freePorts(6);
    const places = [0, 1, 2].map((index) => ({ port: ports[index]!, bus: ports[index + 3]! }));
    this.#nodes = places.map(
      ({ port, bus }) =>
        new PrivateRedis(
          ...["--bind", "127.0.0.1", "--port", `${port}`],
          ...["--cluster-enabled", "yes", "--cluster-port", `${bus}`],
        ),
    );
    await Promise.all(this.#nodes.map((node) => node.start()));
    const clients = this.#nodes.map(({ url }) => new Redis({ path: url.slice("unix://".length) }));
    try {
      const [first] = clients as [Redis];
      for (const [index, client] of clients.entries()) {
        const [from, to] = [Math.ceil((index * slotCount) / 3), Math.ceil(((index + 1) * slotCount) / 3) - 1];
        await client.call("CLUSTER", "ADDSLOTSRANGE", from, to);
        if (index > 0) await first.call("CLUSTER", "MEET", "127.0.0.1", places[index]!.port, places[index]!.bus);
      }
      for (const client of clients) while (!isWhole(await client.call("CLUSTER", "INFO"))) await pause();
    } finally {
      for (const client of clients) client.disconnect();
    }
    this.url = `redis://127.0.0.1:${ports[0]}`;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }
}

const slotCount = 16_384;

function isWhole(information: unknown): boolean {
  return /cluster_state:ok/.test(String(information)) && /cluster_known_nodes:3/.test(String(information));
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
