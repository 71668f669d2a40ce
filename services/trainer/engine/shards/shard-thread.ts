import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../../../lib/errors.ts";
import { Shard, type ShardStart } from "./shard.ts";
import { orders, places } from "./shard-memory.ts";

// The entry of a thread that shares the steps of a training: it does what it is told until it is told to end.
const start = workerData as ShardStart;
const { control } = start.memory;
try {
  const shard = await Shard.open(start);
  for (let seen = 0; ; ) {
    Atomics.wait(control, places.orders, seen);
    seen = Atomics.load(control, places.orders);
    const order = orders[Atomics.load(control, places.order)]!;
    if (order === "end") break;
    await shard.follow(order);
    Atomics.add(control, places.done, 1);
    Atomics.notify(control, places.done);
  }
  await shard.release();
} catch (failure) {
  parentPort?.postMessage(messageOf(failure));
  Atomics.store(control, places.failed, 1);
  Atomics.notify(control, places.done);
}
