import { expect } from "chai";
import fc from "fast-check";
import { messageOf, ServiceError } from "../../lib/errors.ts";
import type { Signature, Tensor } from "../../lib/tensor.ts";
import type { CallLimits } from "../../services/inference/batching/pending-request.ts";
import { Holdings } from "../../services/inference/replicas/holdings.ts";
import { ModelRunner, type ModelRunnerOptions } from "../../services/inference/replicas/model-runner.ts";
import { StateMemory } from "../../services/inference/sequences/state-memory.ts";
import type { InferenceJob, InferenceRequest } from "../../services/inference/tensors/decode.ts";
import { ManualClock } from "../manual-clock.ts";
import { loneRequest, runnerOptions } from "./bare-runner.ts";
import { accumulated } from "./driven-sequences.ts";
import { settled } from "./hand-driven-instance.ts";
import { rowsOf, tensorOf } from "./row-instance.ts";

const spec = (name: string, shape = ["n", 1]) => ({ name, dataType: "INT32" as const, shape });
/** `y` = `next` = `state` + `x` + `step`, and `last` = whether that is at least 100. */
const signature: Signature = {
  inputs: [spec("x"), spec("step"), spec("state")],
  outputs: [spec("y"), spec("last"), spec("next")],
};

describe("a model that answers a request many times", () => {
  let clock: ManualClock;
  /** `x`, `step` and `state` of every run. */
  let runs: number[][];
  /** What its session has kept and freed, by number. */
  let keptValues: number[];
  let freed: number[];

  /** `failsAt` is the number of the run that fails. */
  const runnerOf = (change: Partial<ModelRunnerOptions> = {}, failsAt = Infinity) => {
    clock = new ManualClock();
    runs = [];
    keptValues = [];
    freed = [];
    const holdings = new Holdings((heldId) => freed.push(heldId));
    const given = (name: string, value: number): Tensor => {
      if (!name.startsWith("\0")) return tensorOf(name, [[value]]);
      const heldId = keptValues.push(value) - 1;
      return holdings.received({ name, dataType: "INT32", shape: [1, 1], bytes: new Uint8Array(), heldId });
    };
    const run = async ({ inputs, outputNames }: InferenceJob, { signal, deadlineMs }: CallLimits) => {
      signal.throwIfAborted();
      if (deadlineMs <= clock.now()) throw new ServiceError("DEADLINE_EXCEEDED", "late");
      if (runs.length === failsAt) throw new ServiceError("TENSOR_INVALID", "refused");
      const numberOf = (name: string) => {
        const { heldId, ...input } = holdings.given(inputs.find((given) => given.name === name)!);
        return heldId === undefined ? rowsOf(input)[0][0] : keptValues[heldId];
      };
      const values = ["x", "step", "state"].map(numberOf);
      runs.push(values);
      const y = values[0] + values[1] + values[2];
      const outputs: Record<string, number> = { y, next: y, last: Number(y >= 100) };
      return outputNames.map((name) => given(name, outputs[name.replace("\0", "")]));
    };
    const options = { clock, decoupled: { lastOutput: "last", responsesMax: 5, feedbacks: [] }, ...change };
    return new ModelRunner({ run }, signature, runnerOptions(options));
  };
  const stateful = { states: [accumulated] };
  const fedBack = { lastOutput: "", responsesMax: 3, feedbacks: [{ outputName: "y", inputName: "x" }] };
  const numberTensor = (name: string, value: number): Tensor => tensorOf(name, [[value]]);
  const requestOf = (x: number, change: Partial<InferenceRequest> = {}) =>
    loneRequest({
      inputs: ["x", "step"].map((name) => numberTensor(name, name === "x" ? x : 1)),
      outputNames: ["y"],
      ...change,
    });
  const first = { id: "a", starts: true, ends: false };
  const limitsOf = (caller = new AbortController(), deadlineMs = Infinity) => ({ signal: caller.signal, deadlineMs });
  const numbers = async (responses: AsyncIterable<{ outputs: readonly Tensor[]; isLast: boolean }>) => {
    const all: [number, boolean][] = [];
    for await (const { outputs, isLast } of responses) {
      expect(outputs.map(({ name }) => name)).to.deep.equal(["y"]);
      all.push([rowsOf(outputs[0])[0][0], isLast]);
    }
    return all;
  };
  const withState = (request: InferenceRequest): InferenceRequest => ({
    ...request,
    inputs: [...request.inputs, numberTensor("state", 0)],
  });

  it("feeds outputs back as inputs, keeps all other inputs, and ends at its number of responses", async () => {
    const runner = runnerOf({ decoupled: fedBack });
    expect(await numbers(runner.responses(withState(requestOf(10)), limitsOf()))).to.deep.equal([
      [11, false],
      [12, false],
      [13, true],
    ]);
    expect(runs).to.deep.equal([
      [10, 1, 0],
      [11, 1, 0],
      [12, 1, 0],
    ]);
  });

  it("ends with the response whose last output is not zero", async () => {
    const runner = runnerOf(stateful);
    const responses = runner.responses(requestOf(49, { sequence: first }), limitsOf());
    expect(await numbers(responses)).to.deep.equal([
      [50, false],
      [100, true],
    ]);
  });

  it("runs only as often as somebody asks for a response", async () => {
    const runner = runnerOf({ decoupled: fedBack });
    const responses = runner.responses(withState(requestOf(0)), limitsOf());
    await settled();
    expect(runs.length).to.equal(0);
    await responses.next();
    await settled();
    expect(runs.length).to.equal(1);
    await responses.next();
    expect(runs.length).to.equal(2);
  });

  for (const [what, end, reason] of [
    ["its caller goes", (caller: AbortController) => caller.abort(new ServiceError("CANCELLED", "gone")), "CANCELLED"],
    ["its deadline passes", () => clock.advance(50), "DEADLINE_EXCEEDED"],
  ] as const) {
    it(`runs no further once ${what}, and its sequence goes on from its last response`, async () => {
      const runner = runnerOf(stateful);
      const caller = new AbortController();
      const responses = runner.responses(requestOf(1, { sequence: first }), limitsOf(caller, 50));
      await responses.next();
      await responses.next();
      end(caller);
      expect(await responses.next().catch((fault: ServiceError) => fault.reason)).to.equal(reason);
      expect(runs.length).to.equal(2);
      const rest = runner.responses(
        requestOf(5, { sequence: { ...first, starts: false }, responsesMax: 1 }),
        limitsOf(),
      );
      expect(await numbers(rest)).to.deep.equal([[10, true]]);
    });
  }

  it("lets the next request of its sequence begin when a reader stops asking, and when the last response has come", async () => {
    const runner = runnerOf(stateful);
    const one = runner.responses(requestOf(1, { sequence: first }), limitsOf());
    await one.next();
    const step = { sequence: { ...first, starts: false }, responsesMax: 1 };
    const two = runner.responses(requestOf(1, step), limitsOf());
    const three = runner.responses(requestOf(1, step), limitsOf());
    const answered = two.next();
    await settled();
    expect(runs.length).to.equal(1);
    await one.return(undefined);
    expect((await answered).value.outputs.map(rowsOf)).to.deep.equal([[[4]]]);
    expect(await numbers(three)).to.deep.equal([[6, true]]);
  });

  it("ends its sequence with END only once it has all of its responses", async () => {
    const runner = runnerOf(stateful);
    const cut = runner.responses(requestOf(1, { sequence: { ...first, ends: true } }), limitsOf());
    await cut.next();
    await cut.return(undefined);
    expect(runner.sequenceUsage.count).to.equal(1);
    const ending = { id: "a", starts: false, ends: true };
    await numbers(runner.responses(requestOf(1, { sequence: ending }), limitsOf()));
    expect(runner.sequenceUsage.count).to.equal(0);
  });

  it("gives the same where a session keeps what is carried, and lets each go once, however the loop ends", async () => {
    const ends = fc.record({
      isStateful: fc.boolean(),
      failsAt: fc.nat(4),
      readCount: fc.nat(4),
      aborts: fc.boolean(),
      isFull: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(ends, async ({ isStateful, failsAt, readCount, aborts, isFull }) => {
        const read = async (kept: readonly string[]) => {
          const memory = new StateMemory(4);
          if (isFull) memory.exchange(4, 0);
          const runner = runnerOf({ decoupled: fedBack, kept, memory, ...(isStateful && stateful) }, failsAt);
          const request = isStateful ? requestOf(1, { sequence: first }) : withState(requestOf(1));
          const caller = new AbortController();
          const responses = runner.responses(request, limitsOf(caller));
          const all: unknown[] = [];
          for (let count = 0; count < readCount; count++) {
            const next = await responses.next().catch((fault: ServiceError) => fault.reason);
            all.push(typeof next === "string" || next.done ? next : rowsOf(next.value.outputs[0]));
          }
          if (aborts) caller.abort(new ServiceError("CANCELLED", "gone"));
          all.push(await responses.next().then(({ done }) => done, messageOf));
          await responses.return(undefined);
          await runner.stop();
          return all;
        };
        expect(await read(["y", "next"])).to.deep.equal(await read([]));
        await read(["y", "next"]);
        expect([...freed].sort((a, b) => a - b)).to.deep.equal([...keptValues.keys()]);
      }),
    );
  });

  it("is unloaded only once its responses have come, but waits no longer than half a minute for a reader", async () => {
    const runner = runnerOf({ decoupled: fedBack });
    const responses = runner.responses(withState(requestOf(0)), limitsOf());
    await responses.next();
    let stopped = "no";
    const stopping = runner.stop().then(() => {
      stopped = "yes";
    });
    clock.advance(29_999);
    await settled();
    expect(stopped).to.equal("no");
    clock.advance(1);
    await stopping;
  });

  it("has to fit the settings", () => {
    const refused = (decoupled: Partial<NonNullable<ModelRunnerOptions["decoupled"]>>) => {
      expect(() => runnerOf({ decoupled: { ...fedBack, ...decoupled } }))
        .to.throw()
        .with.property("reason", "ARTIFACT_INVALID");
    };
    refused({ lastOutput: "nothing" });
    refused({ feedbacks: [{ outputName: "y", inputName: "z" }] });
    refused({ feedbacks: [{ outputName: "z", inputName: "x" }] });
    expect(() => runnerOf({ ...stateful, decoupled: { ...fedBack, lastOutput: "next" } })).to.throw(
      "decoupled.last_output names the output 'next'; the model has 'y', 'last'",
    );
  });
});
