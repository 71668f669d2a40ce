import { threadId, workerData } from "node:worker_threads";
import { DeviceLock } from "../../services/inference/worker/device-lock.ts";

/** The fields of the shared array: whether somebody has the device; how often two had it; how often it was had. */
export const inUseIndex = 0;
export const collisionsIndex = 1;
export const countIndex = 2;

/** What the thread is told: to use the device so often, or to end while it has it. */
export interface LockOrder {
  readonly deviceLock: SharedArrayBuffer;
  readonly shared: Int32Array;
  readonly rounds: number;
  readonly endsInside: boolean;
}

if (workerData !== null) {
  const { deviceLock, shared, rounds, endsInside } = workerData as LockOrder;
  const lock = new DeviceLock(deviceLock, threadId);
  for (let round = 0; round < rounds; round++) {
    await lock.hold(async () => {
      if (Atomics.exchange(shared, inUseIndex, 1) === 1) Atomics.add(shared, collisionsIndex, 1);
      await new Promise((resolve) => setImmediate(resolve));
      Atomics.store(shared, inUseIndex, 0);
      Atomics.add(shared, countIndex, 1);
      if (endsInside) process.exit(0);
    });
  }
}
