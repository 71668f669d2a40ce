import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import { Occupancy } from "../../services/inference/batching/occupancy.ts";
import { StateMemory } from "../../services/inference/sequences/state-memory.ts";
import { DrivenSequences, type Sent } from "./driven-sequences.ts";
import { settled } from "./hand-driven-instance.ts";

const ids = ["a", "b", "c", "d"];
const bounds = { sequencesMax: 3, waitingMax: 3, idleMs: 1e9 };

/** One thing that happens; `which` chooses among what there is. */
type Event =
  | {
      readonly kind: "send";
      readonly id: string;
      readonly starts: boolean;
      readonly ends: boolean;
      readonly waits: number;
    }
  | { readonly kind: "finish" | "fail" | "cancel"; readonly which: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "lose" };

const which = fc.nat(100);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      id: fc.constantFrom(...ids),
      starts: fc.nat(3).map((n) => n === 0),
      ends: fc.nat(5).map((n) => n === 0),
      waits: fc.constantFrom(5, 1e6, 1e6, 1e6),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("finish" as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("fail" as const, "cancel" as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.nat(10) }) },
);
const eventOrLoss = fc.oneof({ weight: 20, arbitrary: event }, fc.record({ kind: fc.constant("lose" as const) }));

interface Request extends Sent {
  readonly id: string;
  readonly starts: boolean;
  readonly ends: boolean;
}

/** Checks what became of the requests of one sequence, in the order in which they came, against what a sequence is. */
function checkSequence(requests: readonly Request[], mayBeLost: boolean): void {
  let state: number | undefined;
  for (const { x, starts, ends, outcome } of requests) {
    const before = starts ? 0 : state;
    if (typeof outcome === "number") {
      expect(before, `request ${x} was answered although its sequence had not begun`).to.not.equal(undefined);
      expect(outcome).to.equal(before! + x);
      state = ends ? undefined : outcome;
    } else {
      expect(outcome, `request ${x} has no outcome`).to.be.a("string");
      expect(outcome, `request ${x} was to run with what is gone`).to.not.equal("MODEL_NOT_READY");
      if (outcome === "SEQUENCE_UNKNOWN") {
        if (!mayBeLost) expect(before).to.equal(undefined);
        state = undefined;
      }
      if (starts) state = undefined;
    }
  }
}

/** Plays events, then lets all end, and checks what became of the requests. */
async function play(events: readonly Event[], kept: readonly string[]): Promise<DrivenSequences> {
  // Two states of four bytes fit.
  const memory = new StateMemory(11);
  const queue = new Occupancy({ requestsMax: 4, rowsMax: 4, bytesMax: 100 });
  const driven = new DrivenSequences({ sequences: bounds, memory, nodeQueue: queue, kept });
  const requests: Request[] = [];
  const running = () => requests.filter((request) => driven.isRunning(request));
  const check = () => {
    expect(driven.runner.sequenceUsage.count).to.be.at.most(bounds.sequencesMax);
    expect(memory.bytes).to.be.within(0, memory.bytesMax);
    const busy = running().map(({ id }) => id);
    expect(busy).to.deep.equal([...new Set(busy)]);
  };
  for (const happening of events) {
    if (happening.kind === "send") {
      const { id, starts, ends, waits } = happening;
      requests.push(Object.assign(driven.send(id, { starts, ends, timeoutMs: waits }), { id, starts, ends }));
    } else if (happening.kind === "pass") driven.clock.advance(happening.ms);
    else if (happening.kind === "lose") await driven.loseSession();
    else if (happening.kind === "cancel") {
      const open = requests.filter(({ outcome }) => outcome === undefined);
      open[happening.which % open.length]?.caller.abort(new ServiceError("CANCELLED", "gone"));
    } else {
      const all = running();
      const failure = happening.kind === "fail" ? new ServiceError("TENSOR_INVALID", "refused") : undefined;
      if (all.length > 0) await driven.finish(all[happening.which % all.length], failure);
    }
    if (happening.kind !== "send" || happening.waits % 2 === 0) await settled();
    check();
  }
  await settled();
  while (running().length > 0) await driven.finish(running()[0]);
  await settled();
  const mayBeLost = events.some(({ kind }) => kind === "lose");
  for (const id of ids) {
    const ofSequence = requests.filter((request) => request.id === id);
    checkSequence(ofSequence, mayBeLost);
    const begun = driven.begun.filter((x) => ofSequence.some((request) => request.x === x));
    expect(begun).to.deep.equal([...begun].sort((a, b) => a - b));
  }
  expect(queue.obstacle({ rowCount: 4, inputBytes: 100 })).to.equal(undefined);
  await driven.runner.stop();
  expect([driven.runner.sequenceUsage.count, memory.bytes]).to.deep.equal([0, 0]);
  return driven;
}

describe("sequences, whatever happens in whatever order,", function () {
  this.timeout(60_000);

  it("give every request the state that the answered ones before it have left, and keep their bounds", async () => {
    const events = fc.array(event, { minLength: 5, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(events, async (played) => void (await play(played, []))),
      { numRuns: 1500 },
    );
  });

  it("do so with states that sessions keep, which may be lost, and let each go once", async () => {
    const events = fc.array(eventOrLoss, { minLength: 5, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(events, async (played) => {
        const { freed, lost, keptSums } = await play(played, ["next"]);
        expect([...freed, ...lost].sort((a, b) => a - b)).to.deep.equal([...keptSums.keys()]);
      }),
      { numRuns: 500 },
    );
  });
});
