import { once } from "node:events";
import { setImmediate as passed } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { ServiceError } from "../../../../lib/errors.ts";
import { startThread } from "../../../../lib/start-thread.ts";
import { Shard, type ShardStart } from "./shard.ts";
import { type Order, orders, places, type ShardMemory } from "./shard-memory.ts";

/** How long the others are waited for without looking whether they are still there, in milliseconds. */
const waitMs = 100;

/** All threads of a training: this one, and others that do the same beside it. */
export class Shards {
  readonly #memory: ShardMemory;
  readonly #own: Shard;
  readonly #others: readonly Worker[];
  readonly #exits: Promise<unknown>;
  #death: string | undefined;

  private constructor(memory: ShardMemory, own: Shard, others: readonly Worker[]) {
    this.#memory = memory;
    this.#own = own;
    this.#others = others;
    this.#exits = Promise.all(others.map((worker) => once(worker, "exit").catch(() => undefined)));
    for (const worker of others) {
      worker.on("message", (failure: string) => {
        this.#death ??= failure;
      });
      worker.on("error", (failure) => {
        this.#death ??= failure.message;
      });
    }
  }

  /** Starts one for each; the first is this thread's. */
  static async open([first, ...rest]: readonly ShardStart[]): Promise<Shards> {
    const url = new URL("./shard-thread", import.meta.url);
    const others = rest.map((workerData) => startThread(url, { workerData, name: "shard" }));
    return new Shards(first!.memory, await Shard.open(first!), others);
  }

  /** Has all of them do the same, and waits until they have. Throws INTERNAL where one has failed. */
  async all(order: Exclude<Order, "end">): Promise<void> {
    this.#tell(order);
    await this.#own.follow(order);
    const { control } = this.#memory;
    for (;;) {
      const done = Atomics.load(control, places.done);
      if (done === this.#others.length) return;
      if (Atomics.wait(control, places.done, done, waitMs) === "timed-out") await passed();
      if (this.#death !== undefined || Atomics.load(control, places.failed) !== 0) throw await this.#failure();
    }
  }

  /** Ends all threads. */
  async release(): Promise<void> {
    this.#tell("end");
    await this.#own.release();
    await this.#exits;
  }

  #tell(order: Order): void {
    const { control } = this.#memory;
    Atomics.store(control, places.done, 0);
    Atomics.store(control, places.order, orders.indexOf(order));
    Atomics.add(control, places.orders, 1);
    Atomics.notify(control, places.orders);
  }

  async #failure(): Promise<ServiceError> {
    while (this.#death === undefined) await passed();
    return new ServiceError("INTERNAL", `a thread of the training failed: ${this.#death}`);
  }
}
