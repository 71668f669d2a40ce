import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { StateMemory } from "../../services/inference/sequences/state-memory.ts";
import { DrivenSequences, type Sent } from "./driven-sequences.ts";
import { settled } from "./hand-driven-instance.ts";

const bounds = { sequencesMax: 10, waitingMax: 10, idleMs: 1000 };
const refused = new ServiceError("TENSOR_INVALID", "refused");
const gone = new ServiceError("CANCELLED", "gone");

describe("sequences", () => {
  /** Finishes requests in order; answers what became of them. */
  const outcomes = async (driven: DrivenSequences, ...all: Sent[]) => {
    await settled();
    for (const sent of all) if (driven.isRunning(sent)) await driven.finish(sent);
    return all.map(({ outcome }) => outcome);
  };

  it("run the requests of one strictly one after the other, those of several at the same time", async () => {
    const driven = new DrivenSequences();
    const [a1, a2] = [driven.send("a", { starts: true }), driven.send("a")];
    const [b1, b2] = [driven.send("b", { starts: true }), driven.send("b")];
    await settled();
    expect(driven.begun).to.deep.equal([a1.x, b1.x]);
    await driven.finish(b1);
    expect(driven.begun).to.deep.equal([a1.x, b1.x, b2.x]);
    expect(await outcomes(driven, a1, a2, b2)).to.deep.equal([1, 1 + 2, 3 + 4]);
  });

  it("begin with START only, and begin anew with it", async () => {
    const driven = new DrivenSequences();
    expect(await outcomes(driven, driven.send("a"))).to.deep.equal(["SEQUENCE_UNKNOWN"]);
    const all = [driven.send("a", { starts: true }), driven.send("a"), driven.send("a", { starts: true })];
    expect(await outcomes(driven, ...all, driven.send("a"))).to.deep.equal([2, 5, 4, 9]);
  });

  it("end with END: what comes after needs START, and nothing is kept", async () => {
    const memory = new StateMemory(1e6);
    const driven = new DrivenSequences({ memory });
    const all = [driven.send("a", { starts: true }), driven.send("a", { ends: true }), driven.send("a")];
    expect(await outcomes(driven, ...all)).to.deep.equal([1, 3, "SEQUENCE_UNKNOWN"]);
    expect([driven.runner.sequenceUsage.count, memory.bytes]).to.deep.equal([0, 0]);
  });

  it("stay as they are when a request fails, or is cancelled while it runs or waits", async () => {
    const driven = new DrivenSequences();
    const [first, failing, running, waiting, last] = [
      driven.send("a", { starts: true }),
      driven.send("a"),
      driven.send("a"),
      driven.send("a", { ends: true }),
      driven.send("a"),
    ];
    waiting.caller.abort(gone);
    await settled();
    expect(waiting.outcome).to.equal("CANCELLED");
    await driven.finish(first);
    await driven.finish(failing, refused);
    running.caller.abort(gone);
    await settled();
    expect(await outcomes(driven, first, failing, running, last)).to.deep.equal([
      1,
      "TENSOR_INVALID",
      "CANCELLED",
      1 + last.x,
    ]);
  });

  it("end by a START that never gets its answer: nobody goes on with what was before", async () => {
    const driven = new DrivenSequences();
    const [first, cancelled, after] = [
      driven.send("a", { starts: true }),
      driven.send("a", { starts: true }),
      driven.send("a"),
    ];
    cancelled.caller.abort(gone);
    expect(await outcomes(driven, first, cancelled, after)).to.deep.equal([1, "CANCELLED", "SEQUENCE_UNKNOWN"]);
    const again = driven.send("a", { starts: true });
    await outcomes(driven, again);
    const late = driven.send("a", { starts: true, timeoutMs: 0 });
    expect(await outcomes(driven, late, driven.send("a"))).to.deep.equal(["DEADLINE_EXCEEDED", "SEQUENCE_UNKNOWN"]);
  });

  it("let a request go at its deadline that waits for the one before", async () => {
    const driven = new DrivenSequences();
    const first = driven.send("a", { starts: true });
    const waiting = driven.send("a", { timeoutMs: 50 });
    const last = driven.send("a");
    await settled();
    driven.clock.advance(50);
    await settled();
    expect(waiting.outcome).to.equal("DEADLINE_EXCEEDED");
    expect(await outcomes(driven, first, last)).to.deep.equal([1, 1 + last.x]);
  });

  it("are forgotten once they have been idle for their time, not while a request runs", async () => {
    const memory = new StateMemory(1e6);
    const driven = new DrivenSequences({ memory, sequences: bounds });
    await outcomes(driven, driven.send("a", { starts: true }));
    driven.clock.advance(999);
    const long = driven.send("a");
    await settled();
    driven.clock.advance(10_000);
    expect(await outcomes(driven, long)).to.deep.equal([3]);
    driven.clock.advance(999);
    expect([driven.runner.sequenceUsage.count, memory.bytes]).to.deep.equal([1, 4]);
    driven.clock.advance(1);
    expect([driven.runner.sequenceUsage.count, memory.bytes]).to.deep.equal([0, 0]);
    expect(await outcomes(driven, driven.send("a"))).to.deep.equal(["SEQUENCE_UNKNOWN"]);
  });

  it("are bounded in number, in what waits, and in the bytes of their states, each with RetryInfo", async () => {
    const driven = new DrivenSequences({ sequences: { ...bounds, sequencesMax: 2, waitingMax: 1 } });
    const all = [driven.send("a", { starts: true }), driven.send("b", { starts: true })];
    const [third, waiting, second] = [driven.send("c", { starts: true }), driven.send("a"), driven.send("a")];
    expect(await outcomes(driven, third, second, ...all, waiting)).to.deep.equal(["QUEUE_FULL", "QUEUE_FULL", 1, 2, 5]);

    const narrow = new DrivenSequences({ queue: { requestsMax: 10, rowsMax: 10, bytesMax: 4 } });
    const [running, kept, beyond] = [narrow.send("a", { starts: true }), narrow.send("a"), narrow.send("a")];
    expect(await outcomes(narrow, beyond, running, kept)).to.deep.equal(["QUEUE_FULL", 1, 3]);

    const full = new DrivenSequences({ memory: new StateMemory(7) });
    const [one, other] = [full.send("a", { starts: true }), full.send("b", { starts: true })];
    expect(await outcomes(full, one, other, full.send("a", { ends: true }))).to.deep.equal([1, "QUEUE_FULL", 4]);
    expect(await outcomes(full, full.send("b", { starts: true }))).to.deep.equal([4]);
  });

  it("count what they refuse among the failures of the version", async () => {
    const kinds: string[] = [];
    const driven = new DrivenSequences({
      observer: { failed: (kind) => void kinds.push(kind) },
      sequences: { ...bounds, sequencesMax: 1 },
    });
    const first = driven.send("a", { starts: true });
    const [unknown, beyond, waiting] = [driven.send("b"), driven.send("c", { starts: true }), driven.send("a")];
    waiting.caller.abort(gone);
    await outcomes(driven, first, unknown, beyond, waiting);
    expect(kinds).to.have.members(["OTHER", "REJECTED", "CANCELED"]);
  });

  it("finish what was taken when the version is unloaded, then keep nothing", async () => {
    const memory = new StateMemory(1e6);
    const driven = new DrivenSequences({ memory });
    const all = [driven.send("a", { starts: true }), driven.send("a")];
    await settled();
    let isStopped = false;
    const stopping = driven.runner.stop().then(() => {
      isStopped = true;
    });
    await settled();
    expect(isStopped).to.equal(false);
    expect(await outcomes(driven, ...all)).to.deep.equal([1, 3]);
    await stopping;
    expect([driven.runner.sequenceUsage.count, memory.bytes]).to.deep.equal([0, 0]);
  });
});
