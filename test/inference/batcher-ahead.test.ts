import { expect } from "chai";
import { type BatchSettings, plainQueuePolicy } from "../../services/inference/batching/batch-settings.ts";
import { Occupancy, type QueueBounds } from "../../services/inference/batching/occupancy.ts";
import { plenty } from "./bounds.ts";
import { type DrivenBatcher, openBatcher } from "./driven-batcher.ts";

describe("a batcher whose instance takes a request ahead", () => {
  let { clock, batcher, batches, add, addAll, finish, aheads, begin } = {} as DrivenBatcher;
  /** What waits in all batchers. */
  let node: Occupancy;
  /** With one instance, which is busy and takes one. */
  const open = (settings: Partial<BatchSettings> = {}, bounds: Partial<QueueBounds> = {}) => {
    node = new Occupancy(plenty);
    const driven = openBatcher({ maxBatchSize: 1, requestRowsMax: Infinity, ...settings }, bounds, node, 0);
    ({ clock, batcher, batches, add, addAll, finish, aheads, begin } = driven);
    driven.allowAhead();
  };
  const names = () => aheads.map(({ name }) => name).join("");

  it("gives the busy instance what it runs next, and the next one when that has begun", () => {
    open();
    addAll("abc");
    expect([names(), batcher.length]).to.deep.equal(["a", 2]);
    begin();
    expect([names(), batcher.length, batches]).to.deep.equal(["b", 1, []]);
  });

  it("keeps all where they may be joined, have priorities, or are refused or set back as they wait", () => {
    const kept: Partial<BatchSettings>[] = [
      { maxBatchSize: 2 },
      { queuePolicies: [plainQueuePolicy, plainQueuePolicy] },
      { queuePolicies: [{ ...plainQueuePolicy, defaultTimeoutMs: 10 }] },
      { queuePolicies: [{ ...plainQueuePolicy, allowTimeoutOverride: true }] },
    ];
    for (const settings of kept) {
      open(settings);
      addAll("ab");
      expect([names(), batcher.length]).to.deep.equal(["", 2]);
    }
  });

  it("keeps one of more than 1 MiB, and gives nothing that came after it", () => {
    open({}, { bytesMax: Infinity });
    add("a", { inputBytes: 1024 ** 2 + 1 });
    add("b");
    expect([names(), batcher.length]).to.deep.equal(["", 2]);
    finish();
    expect([batches, names()]).to.deep.equal([["a"], "b"]);
  });

  it("counts what has not begun among what waits", () => {
    open({}, { requestsMax: 2 });
    addAll("ab");
    expect([names(), node.requests, add("c").fault?.reason]).to.deep.equal(["a", 2, "QUEUE_FULL"]);
    begin();
    expect([node.requests, add("d").fault]).to.deep.equal([1, undefined]);
  });

  it("counts the time of what has not begun before a deadline", () => {
    open();
    batcher.noteRun(8 * 99 + 1);
    add("a");
    expect(add("b", { deadlineMs: clock.now() + 199 }).fault?.reason).to.equal("DEADLINE_EXCEEDED");
    expect(add("c", { deadlineMs: clock.now() + 200 }).fault).to.equal(undefined);
  });
});
