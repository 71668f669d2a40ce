import { setImmediate as passed } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { startThread } from "../../../../lib/start-thread.ts";
import { Shard, type ShardStart } from "./shard.ts";
import { type Order, orders, places, type ShardMemory } from "./shard-memory.ts";

/** All threads of a training: this one, and others that do the same beside it. */
export class Shards {
  readonly #own: Shard;
  readonly #others: OtherThreads;

  private constructor(own: Shard, others: OtherThreads) {
    this.#own = own;
    this.#others = others;
  }

  /** Starts one for each; the first is this thread's. Where that cannot be opened, the others end. */
  static async open([first, ...rest]: readonly ShardStart[]): Promise<Shards> {
    const others = new OtherThreads(first!.memory, rest);
    try {
      return new Shards(await Shard.open(first!), others);
    } catch (failure) {
      await others.end();
      throw failure;
    }
  }

  /** Has all of them do the same, and waits until they have. Throws what one has failed with, or that it is gone. */
  async all(order: Exclude<Order, "end">): Promise<void> {
    this.#others.tell(order);
    await this.#own.follow(order);
    await this.#others.done();
  }

  /** Ends all threads. */
  async release(): Promise<void> {
    const ended = this.#others.end();
    await this.#own.release();
    await ended;
  }
}

/** The threads beside this one. */
class OtherThreads {
  readonly #memory: ShardMemory;
  readonly #count: number;
  readonly #exits: Promise<unknown>;
  #isEnding = false;
  #death: string | undefined;

  constructor(memory: ShardMemory, starts: readonly ShardStart[]) {
    this.#memory = memory;
    this.#count = starts.length;
    const url = new URL("./shard-thread", import.meta.url);
    this.#exits = Promise.all(starts.map((workerData) => this.#watch(startThread(url, { workerData, name: "shard" }))));
  }

  tell(order: Order): void {
    const { control } = this.#memory;
    Atomics.store(control, places.done, 0);
    Atomics.store(control, places.order, orders.indexOf(order));
    Atomics.add(control, places.orders, 1);
    Atomics.notify(control, places.orders);
  }

  /** Waits until all have done what they were told last. */
  async done(): Promise<void> {
    const { control } = this.#memory;
    for (;;) {
      const done = Atomics.load(control, places.done);
      if (done === this.#count) return;
      if (Atomics.wait(control, places.done, done, waitMs) === "timed-out") await passed();
      if (this.#death !== undefined || Atomics.load(control, places.failed) !== 0) throw await this.#failure();
    }
  }

  /** Settles once all are gone. */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.tell("end");
    await this.#exits;
  }

  /** Settles once a thread is gone, and never rejects. */
  #watch(thread: Worker): Promise<void> {
    const die = (why: string) => {
      this.#death ??= why;
    };
    thread.on("message", die);
    thread.on("error", (failure) => die(failure.message));
    return new Promise((settle) => {
      thread.once("exit", (code) => {
        if (!this.#isEnding) die(`it ended unasked with exit code ${code}`);
        settle();
      });
    });
  }

  /** A thread that has failed says why, but its words come by another way. */
  async #failure(): Promise<Error> {
    const untilMs = performance.now() + wordsMsMax;
    while (this.#death === undefined && performance.now() < untilMs) await passed();
    return new Error(`a thread of the training failed: ${this.#death ?? "it did not say why"}`);
  }
}

/** How long the others are waited for without looking whether they are still there, in milliseconds. */
const waitMs = 100;
/** How long the words of a thread that has failed may take, in milliseconds. */
const wordsMsMax = 1000;
