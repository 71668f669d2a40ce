import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePorts } from "./free-ports.ts";
import { PrivateRedis, redisServer } from "./private-redis.ts";

/** A Redis, its replica, and a Sentinel that puts one in the place of the other. */
export class RedisSentinel {
  #nodes: readonly PrivateRedis[] = [];
  #sentinel: ChildProcess | undefined;
  #folder = "";
  url = "";

  async start(): Promise<void> {
    const [first, second, sentinel] = (await freePorts(3)) as [number, number, number];
    this.#nodes = [nodeAt(first), nodeAt(second, "--replicaof", "127.0.0.1", `${first}`)];
    for (const node of this.#nodes) await node.start();
    this.#folder = await mkdtemp(join(tmpdir(), "amaas-sentinel-"));
    const file = join(this.#folder, "sentinel.conf");
    const lines = [
      `port ${sentinel}`,
      "bind 127.0.0.1",
      `dir ${this.#folder}`,
      `sentinel monitor main 127.0.0.1 ${first} 1`,
      "sentinel down-after-milliseconds main 300",
      "sentinel failover-timeout main 3000",
    ];
    await writeFile(file, lines.join("\n"));
    this.#sentinel = spawn(redisServer(), [file, "--sentinel"], { stdio: "ignore" });
    this.url = `redis+sentinel://127.0.0.1:${sentinel}/main`;
    await this.#knowsReplica(sentinel, first);
  }

  /** Kills the master once the replica has all that it has; the replica takes its place soon. */
  async killMaster(): Promise<void> {
    const master = new Redis({ path: this.#nodes[0]!.url.slice("unix://".length) });
    const isCopied = async () => {
      const text = await master.info("replication");
      const [, own] = /master_repl_offset:(\d+)/.exec(text)!;
      return text.includes(`offset=${own},`);
    };
    while (!(await isCopied())) await new Promise((resolve) => setTimeout(resolve, 5));
    master.disconnect();
    await this.#nodes[0]!.kill();
  }

  async stop(): Promise<void> {
    const sentinel = this.#sentinel;
    if (sentinel?.kill("SIGKILL")) await once(sentinel, "exit");
    await Promise.all(this.#nodes.map((node) => node.stop()));
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Settles once the Sentinel could choose the replica, and the replica has all that the master has. */
  async #knowsReplica(sentinelPort: number, masterPort: number): Promise<void> {
    const [sentinel, master] = [sentinelPort, masterPort].map((port) => new Redis(port, "127.0.0.1")) as [Redis, Redis];
    for (const client of [sentinel, master]) client.on("error", () => undefined);
    const isReady = async () => {
      const replicas = (await sentinel.call("SENTINEL", "REPLICAS", "main")) as unknown[];
      return replicas.length === 1 && /state=online/.test(await master.info("replication"));
    };
    while (!(await isReady())) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const client of [sentinel, master]) client.disconnect();
  }
}

function nodeAt(port: number, ...more: readonly string[]): PrivateRedis {
  return new PrivateRedis("--bind", "127.0.0.1", "--port", `${port}`, "--repl-diskless-sync-delay", "0", ...more);
}
