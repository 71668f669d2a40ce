import { expect } from "chai";
import { messageOf } from "../../lib/errors.ts";
import { type InstanceOptions, SessionOverdue, startInstance } from "../../services/inference/replicas/instance.ts";
import { NotBegun } from "../../services/inference/worker/run-claim.ts";
import type { ThreadReply, ThreadRequest } from "../../services/inference/worker/thread-protocol.ts";
import type { WorkerThread } from "../../services/inference/worker/worker-thread.ts";
import { ManualClock } from "../manual-clock.ts";
import { noTime } from "./hand-driven-instance.ts";

describe("an instance", () => {
  for (const isolation of ["process", "thread"] as const) {
    it(`is lost where its ${isolation} does not end when it is told to`, async () => {
      const clock = new ManualClock();
      const worker = new DeafWorker(isolation);
      const left: string[] = [];
      const instance = await loaded(worker, { clock, onLeftBehind: (why) => left.push(why) });
      const stopped = instance.stop();
      clock.advance(99);
      expect([worker.isKilled, left]).to.deep.equal([false, []]);
      clock.advance(1);
      await stopped;
      const why = `the ${isolation} of the session has not come back within 100 ms`;
      expect([await instance.ended, worker.isKilled, left]).to.deep.equal(
        isolation === "process" ? [why, true, []] : [why, false, [why]],
      );
    });
  }

  it("that does not come back from its load says when its thread has ended", async () => {
    const clock = new ManualClock();
    const loading = startInstance(new DeafWorker("process"), {
      loadMsMax: 1000,
      runMsMax: 100,
      clock,
      onLeftBehind: () => undefined,
    });
    const failure = loading.catch((thrown: unknown) => thrown);
    clock.advance(1000);
    const overdue = await failure;
    expect(overdue).to.be.instanceOf(SessionOverdue);
    await (overdue as SessionOverdue).gone;
  });

  it("is refused with its process ended, whatever that does", async () => {
    const worker = new DeafWorker("process");
    const loading = startInstance(worker, {
      loadMsMax: 1000,
      runMsMax: 100,
      clock: new ManualClock(),
      onLeftBehind: () => undefined,
    });
    worker.say({ kind: "refused", reason: "ARTIFACT_INVALID", message: "it is none", metadata: {} });
    expect(await loading.catch(messageOf)).to.equal("it is none");
    expect(worker.isKilled).to.equal(true);
  });

  it("has for a run that it was given ahead as long as for any other, from when its turn has come", async () => {
    const clock = new ManualClock();
    const worker = new DeafWorker("thread");
    const left: string[] = [];
    const instance = await loaded(worker, { clock, onLeftBehind: (why) => left.push(why) });
    const first = instance.run([], ["y"]);
    const ahead = instance.runAhead([], ["y"], Infinity).result.catch((failure: unknown) => failure);
    clock.advance(99);
    worker.say({ kind: "ran", runId: 0, outputs: [], phases: noTime });
    await first;
    clock.advance(99);
    expect(left.length).to.equal(0);
    clock.advance(1);
    expect([left.length, instance.takesAhead]).to.deep.equal([1, false]);
    // The thread had not claimed it.
    expect(await ahead).to.be.instanceOf(NotBegun);
  });

  const loaded = (worker: DeafWorker, options: Pick<InstanceOptions, "clock" | "onLeftBehind">) => {
    const loading = startInstance(worker, { ...options, loadMsMax: 1000, runMsMax: 100 });
    worker.say({ kind: "loaded", signature: { inputs: [], outputs: [] }, intraOpThreads: 1, kept: [] });
    return loading;
  };
});

/** One that does nothing of what it is told. */
class DeafWorker implements WorkerThread {
  isKilled = false;
  readonly kill?: () => void;
  readonly #listeners = new Map<string, (value: never) => void>();

  constructor(isolation: "process" | "thread") {
    if (isolation === "thread") return;
    this.kill = () => {
      this.isKilled = true;
      this.#listeners.get("exit")?.("SIGKILL" as never);
    };
  }

  postMessage(_request: ThreadRequest): void {}

  on(event: string, listener: (value: never) => void): void {
    this.#listeners.set(event, listener);
  }

  say(reply: ThreadReply): void {
    this.#listeners.get("message")?.(reply as never);
  }
}
