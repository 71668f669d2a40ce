import { once } from "node:events";
import { threadId } from "node:worker_threads";
import { expect } from "chai";
import { startThread } from "../../lib/start-thread.ts";
import { DeviceLock, newDeviceLock, releaseDevice } from "../../services/inference/worker/device-lock.ts";
import { collisionsIndex, countIndex, type LockOrder } from "./lock-thread.ts";

describe("the device of a process", function () {
  this.timeout(60_000);
  const started = (order: Pick<LockOrder, "rounds" | "endsInside">) => {
    const workerData: LockOrder = { deviceLock, shared, ...order };
    return startThread(new URL("./lock-thread", import.meta.url), { workerData });
  };
  let deviceLock: SharedArrayBuffer;
  let shared: Int32Array;
  beforeEach(() => {
    deviceLock = newDeviceLock();
    shared = new Int32Array(new SharedArrayBuffer(12));
  });

  it("is used by one thread at a time, whatever happens while it is", async () => {
    const threads = Array.from({ length: 4 }, () => started({ rounds: 200, endsInside: false }));
    await Promise.all(threads.map((thread) => once(thread, "exit")));
    expect([shared[collisionsIndex], shared[countIndex]]).to.deep.equal([0, 800]);
    const lock = new DeviceLock(deviceLock, threadId);
    const failed = lock.hold(() => Promise.reject(new Error("no kernel"))).catch(({ message }) => message);
    expect(await failed).to.equal("no kernel");
    expect(await lock.hold(async () => "free")).to.equal("free");
  });

  it("is free again once the thread that had it has ended, and stays another's", async () => {
    const gone = started({ rounds: 1, endsInside: true });
    const { threadId: goneId } = gone;
    await once(gone, "exit");
    const waiting = started({ rounds: 1, endsInside: false });
    releaseDevice(deviceLock, goneId + 1000);
    releaseDevice(deviceLock, goneId);
    await once(waiting, "exit");
    expect(shared[countIndex]).to.equal(2);
  });
});
