import { expect } from "chai";
import { Limits } from "../../../services/gateway/limits/limits.ts";
import { StreamLimits } from "../../../services/gateway/limits/stream-limits.ts";
import type { ModelRoute } from "../../../services/gateway/route-facts.ts";
import { ManualClock } from "../../manual-clock.ts";
import { limitedModel } from "./limited-model.ts";

describe("the limits of a stream", () => {
  let clock: ManualClock;
  let limits: Limits;

  beforeEach(() => {
    clock = new ManualClock();
    limits = new Limits({ principalsMax: 10, shared: undefined, clock });
  });

  const of = (model: ModelRoute) => ({ headers: {}, message: Buffer.alloc(10), model });
  const failureOf = async (admit: () => undefined | Promise<void>) => {
    try {
      await admit();
    } catch (thrown) {
      return (thrown as { readonly reason: string }).reason;
    }
    return "none";
  };
  const settled = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      for (let turn = 0; turn < 10; turn++) await undefined;
      clock.advance(50);
    }
  };

  it("let messages wait until they fit", async () => {
    const stream = new StreamLimits(limits);
    const model = limitedModel({ requestsPerSecond: 2 });
    const admittedMs: number[] = [];
    const send = async () => {
      for (let count = 0; count < 5; count++) {
        await stream.admit(of(model));
        admittedMs.push(clock.monotonicMs());
      }
    };
    void send();
    await settled(2000);
    expect(admittedMs).to.deep.equal([0, 0, 500, 1000, 1500]);
  });

  it("make nobody wait where there are none, or where there is room", () => {
    const stream = new StreamLimits(limits);
    const model = limitedModel({ requestsPerSecond: 1000 });
    for (let count = 0; count < 1000; count++) expect(stream.admit(of(model))).to.equal(undefined);
    for (let count = 0; count < 9999; count++) expect(stream.admit(of(limitedModel()))).to.equal(undefined);
  });

  it("count it as one that runs, for each model until it ends", async () => {
    const model = limitedModel({ concurrentRequests: 1 });
    const [first, second] = [new StreamLimits(limits), new StreamLimits(limits)];
    for (let count = 0; count < 3; count++) expect(first.admit(of(model))).to.equal(undefined);
    expect(await failureOf(() => second.admit(of(model)))).to.equal("LIMIT_EXCEEDED");
    expect(second.admit(of({ ...model, model: "other" }))).to.equal(undefined);
    first.end();
    expect(second.admit(of(model))).to.equal(undefined);
  });

  it("refuse a message that can never fit, or that would have to wait too long, or whose stream is over", async () => {
    const stream = new StreamLimits(limits);
    expect(await failureOf(() => stream.admit(of(limitedModel({ bytesPerSecond: 1 }))))).to.equal("REQUEST_TOO_LARGE");
    const slow = limitedModel({ requestsPerSecond: 0.01 });
    await stream.admit(of(slow));
    expect(await failureOf(() => stream.admit(of(slow)))).to.equal("LIMIT_EXCEEDED");
    const model = { ...limitedModel({ requestsPerSecond: 1 }), model: "other" };
    await stream.admit(of(model));
    const failure = failureOf(() => stream.admit(of(model)));
    stream.end();
    expect(await failure).to.equal("LIMIT_EXCEEDED");
  });
});
