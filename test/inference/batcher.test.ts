import { expect } from "chai";
import type { BatchSettings } from "../../services/inference/batching/batch-settings.ts";
import { plainQueuePolicy, unbatched, unjoined } from "../../services/inference/batching/batch-settings.ts";
import { Occupancy, type QueueBounds } from "../../services/inference/batching/occupancy.ts";
import { plenty } from "./bounds.ts";
import { type DrivenBatcher, openBatcher } from "./driven-batcher.ts";

describe("a batcher", () => {
  let { clock, batcher, batches, waits, add, addAll, finish, occupy } = {} as DrivenBatcher;
  /** What waits in all batchers. */
  let node: Occupancy;

  beforeEach(() => {
    node = new Occupancy(plenty);
  });

  /** With one instance, which is busy unless it is said to be free. */
  const open = (settings: Partial<BatchSettings> = {}, bounds: Partial<QueueBounds> = {}, free = 0) => {
    ({ clock, batcher, batches, waits, add, addAll, finish, occupy } = openBatcher(settings, bounds, node, free));
  };

  it("runs a request at once where an instance is free and no delay is asked for", () => {
    open({}, {}, 1);
    addAll("ab");
    expect(batches).to.deep.equal(["a"]);
  });

  it("joins what arrives together though an instance is free, and runs it at once", () => {
    open({}, {}, 1);
    add("a", { hasCompany: true });
    add("b", { hasCompany: true });
    expect(batches).to.deep.equal([]);
    add("c");
    expect(batches).to.deep.equal(["abc"]);
  });

  it("says that requests wait for an instance whenever they begin to, also once they have waited for company", () => {
    open({ maxQueueDelayMs: 10 }, {}, 1);
    add("a");
    expect(waits.count).to.equal(0);
    occupy();
    clock.advance(10);
    expect(waits.count).to.equal(1);
    add("b");
    expect(waits.count).to.equal(2);
    finish();
    expect(batches).to.deep.equal(["ab"]);
  });

  it("joins what waits, up to the rows of a batch, and never splits a request", () => {
    open();
    addAll("abc", { rowCount: 3 });
    addAll("de", { rowCount: 2 });
    finish(3);
    expect(batches).to.deep.equal(["ab", "cde"]);
  });

  it("refuses a request that is larger than a batch, or runs it alone where nobody set a size", () => {
    open();
    const { fault } = add("a", { rowCount: 9 });
    expect(fault).to.include({
      reason: "TENSOR_INVALID",
      message: "inference request batch-size must be <= 8; it is 9",
    });
    open({ requestRowsMax: Infinity });
    add("a", { rowCount: 9 });
    add("b");
    finish(2);
    expect(batches).to.deep.equal(["a", "b"]);
  });

  it("copies no more than 16 MiB into one batch, and a larger request runs alone", () => {
    open({}, { bytesMax: Infinity });
    for (const [index, mebibytes] of [20, 9, 7, 1].entries()) add("abcd"[index], { inputBytes: mebibytes * 1024 ** 2 });
    finish(3);
    expect(batches).to.deep.equal(["a", "bc", "d"]);
  });

  it("joins only requests of one bucket, in the order of the oldest of each, and those of none not at all", () => {
    open();
    for (const [index, bucket] of ["x", "y", "x", undefined, "y", "z"].entries()) add("abcdef"[index], { bucket });
    finish(4);
    expect(batches).to.deep.equal(["ac", "be", "d", "f"]);
  });

  it("takes the largest preferred size that there is, and everything where there is none", () => {
    open({ preferredBatchSizes: [2, 4] });
    addAll("abcdefg");
    finish(3);
    expect(batches).to.deep.equal(["abcd", "ef", "g"]);
  });

  it("waits for company no longer than the oldest request may", () => {
    open({ maxQueueDelayMs: 5 }, {}, 2);
    add("a");
    clock.advance(4);
    add("b");
    expect(batches).to.deep.equal([]);
    clock.advance(1);
    add("c");
    clock.advance(4);
    expect(batches).to.deep.equal(["ab"]);
    clock.advance(1);
    expect(batches).to.deep.equal(["ab", "c"]);
  });

  it("does not wait for company once a batch is full, or a preferred size is there", () => {
    open({ maxQueueDelayMs: 5 }, {}, 2);
    add("a", { rowCount: 7 });
    add("b", { rowCount: 2 });
    expect(batches).to.deep.equal(["a"]);
    addAll("cdefgh");
    expect(batches).to.deep.equal(["a", "bcdefgh"]);
    open({ maxQueueDelayMs: 5, preferredBatchSizes: [3] }, {}, 1);
    addAll("abc");
    expect(batches).to.deep.equal(["abc"]);
  });

  it("lets a full batch of another bucket pass the one that waits for company", () => {
    open({ maxQueueDelayMs: 5 }, {}, 2);
    add("a", { bucket: "x" });
    add("b", { bucket: "y", rowCount: 8 });
    expect(batches).to.deep.equal(["b"]);
    clock.advance(5);
    expect(batches).to.deep.equal(["b", "a"]);
  });

  it("lets a request wait for company for half of the time that its deadline leaves to spare", () => {
    open({ maxQueueDelayMs: 50 }, {}, 1);
    for (let time = 0; time < 100; time++) batcher.noteRun(10);
    add("a", { deadlineMs: 30 });
    clock.advance(8);
    expect(batches).to.deep.equal([]);
    clock.advance(2);
    expect(batches).to.deep.equal(["a"]);
  });

  it("lets no request wait for company until its queue policy would refuse it", () => {
    const impatient = { ...plainQueuePolicy, defaultTimeoutMs: 20, allowTimeoutOverride: true };
    open({ maxQueueDelayMs: 50, queuePolicies: [impatient] }, {}, 2);
    const preset = add("a");
    clock.advance(20);
    const own = add("b", { timeoutMs: 10 });
    clock.advance(10);
    expect([batches, preset.fault, own.fault]).to.deep.equal([["a", "b"], undefined, undefined]);
  });

  it("joins at most 1024 requests, which then wait for no more company", () => {
    open({ maxBatchSize: 4096, requestRowsMax: 4096, maxQueueDelayMs: 100 }, {}, 1);
    addAll("a".repeat(1030));
    expect(batches.map(({ length }) => length)).to.deep.equal([1024]);
  });

  it("waits for company no longer once it is drained", () => {
    open({ maxQueueDelayMs: 50 }, {}, 1);
    addAll("ab");
    batcher.drain();
    expect(batches).to.deep.equal(["ab"]);
  });

  it("runs each request alone once it is told not to join", () => {
    open({ maxQueueDelayMs: 50 });
    addAll("ab");
    batcher.use(unjoined({ ...unbatched, maxBatchSize: 4 }));
    add("c", { rowCount: 9 });
    finish(3);
    expect(batches).to.deep.equal(["a", "b", "c"]);
  });

  it("runs higher priorities first, and takes the default one for what names none or one that does not exist", () => {
    open({ maxBatchSize: 2, queuePolicies: Array(3).fill(plainQueuePolicy), defaultPriorityLevel: 2 });
    for (const [index, priority] of [3, 0, 1, 99, 2, 1].entries()) add("abcdef"[index], { priority });
    finish(3);
    expect(batches).to.deep.equal(["cf", "bd", "ea"]);
  });

  it("refuses a request that has waited as long as its priority allows, at that moment", () => {
    const patient = { ...plainQueuePolicy, defaultTimeoutMs: 20 };
    open({ queuePolicies: [patient, { ...patient, defaultTimeoutMs: 10, allowTimeoutOverride: true }] });
    const first = add("a", { priority: 1, timeoutMs: 5 });
    const shorter = add("b", { priority: 2, timeoutMs: 5 });
    const longer = add("c", { priority: 2, timeoutMs: 15 });
    const seen = [5, 10, 20].map((atMs) => {
      clock.advance(atMs - clock.now());
      return [first, shorter, longer].map(({ fault }) => fault?.reason);
    });
    const [no, late] = [undefined, "QUEUE_TIMEOUT"];
    expect(seen).to.deep.equal([
      [no, late, no],
      [no, late, late],
      [late, late, late],
    ]);
    expect(shorter.fault?.message).to.equal("Request timeout expired: it waited 5 ms, as long as it may");
    finish();
    expect(batches).to.deep.equal([]);
  });

  it("puts a request that has waited too long behind all others of its priority where that is set", () => {
    const delaying = { ...plainQueuePolicy, timeoutAction: "DELAY" as const, defaultTimeoutMs: 10 };
    open({ maxBatchSize: 1, queuePolicies: [delaying, plainQueuePolicy] });
    addAll("ab", { priority: 1 });
    clock.advance(10);
    add("c", { priority: 1 });
    add("d", { priority: 2 });
    finish(4);
    expect(batches).to.deep.equal(["c", "a", "b", "d"]);
  });

  it("bounds what waits by requests, of each priority too, by rows and by bytes", () => {
    const small = { ...plainQueuePolicy, maxQueueSize: 1 };
    open({ queuePolicies: [plainQueuePolicy, small] }, { requestsMax: 4, rowsMax: 10, bytesMax: 50 });
    add("a", { rowCount: 4, inputBytes: 30, priority: 2 });
    const refused = [{ priority: 2 }, { rowCount: 7 }, { inputBytes: 21 }].map((details) => add("b", details));
    addAll("cde");
    refused.push(add("f"));
    expect(refused.map(({ fault }) => fault?.message)).to.deep.equal(
      [
        "1 requests of priority 2 wait; at most 1 may",
        "4 rows wait and the request has 7; at most 10 may wait",
        "30 bytes wait and the request has 21; at most 50 may wait",
        "4 requests wait; at most 4 may",
      ].map((what) => `Exceeds maximum queue size: ${what}`),
    );
    expect(refused.map(({ fault }) => fault?.retryDelayMs)).to.deep.equal([1, 1, 1, 1]);
  });

  it("bounds what waits in several batchers together", () => {
    node = new Occupancy({ ...plenty, requestsMax: 2 }, " on this node");
    open();
    const first = batcher;
    const gone = add("a");
    open();
    add("b");
    expect(add("c").fault?.message).to.equal("Exceeds maximum queue size: 2 requests wait on this node; at most 2 may");
    first.remove(gone);
    expect(add("d").fault).to.equal(undefined);
    finish();
    expect(batches).to.deep.equal(["bd"]);
  });

  it("refuses nothing while an instance is free: what waits for company goes without it", () => {
    open({ maxQueueDelayMs: 50 }, { requestsMax: 2, bytesMax: 10 }, 3);
    addAll("ab");
    const sent = [add("c"), add("d", { inputBytes: 100 }), add("e", { inputBytes: 100 })];
    expect(batches).to.deep.equal(["ab", "c", "d"]);
    expect(sent.map(({ fault }) => fault?.reason)).to.deep.equal([undefined, undefined, "QUEUE_FULL"]);
  });

  it("takes out what wants to go, and what has missed its deadline", () => {
    open();
    const [, gone] = addAll("abc");
    const late = add("d", { deadlineMs: 10 });
    batcher.remove(gone);
    clock.advance(10);
    finish();
    expect([batches, late.fault?.reason]).to.deep.equal([["ac"], "DEADLINE_EXCEEDED"]);
  });

  it("takes a request that is larger than a batch for one run where it estimates", () => {
    open({ requestRowsMax: Infinity });
    for (let time = 0; time < 100; time++) batcher.noteRun(10);
    add("a", { rowCount: 800 });
    expect(add("b", { deadlineMs: 25 }).fault).to.equal(undefined);
    expect(add("c", { deadlineMs: 15 }).fault?.reason).to.equal("DEADLINE_EXCEEDED");
  });

  it("refuses at once what would miss its deadline behind those that wait, but not where an instance is free", () => {
    open({ maxBatchSize: 1 });
    for (let time = 0; time < 100; time++) batcher.noteRun(10);
    addAll("ab");
    const hopeless = add("c", { deadlineMs: 25 });
    const hopeful = add("d", { deadlineMs: 31 });
    expect(hopeless.fault).to.include({
      reason: "DEADLINE_EXCEEDED",
      message: "the deadline cannot be met: 25 ms are left and about 30 ms are needed",
    });
    expect(hopeful.fault).to.equal(undefined);
    open({}, {}, 1);
    for (let time = 0; time < 100; time++) batcher.noteRun(10);
    add("a", { deadlineMs: 1 });
    expect(batches).to.deep.equal(["a"]);
  });
});
