import { expect } from "chai";
import fc from "fast-check";
import type { ServiceError } from "../../../lib/errors.ts";
import { Metrics } from "../../../lib/metrics/metrics.ts";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import { type Attempt, Limits } from "../../../services/gateway/limits/limits.ts";
import type { ModelRoute } from "../../../services/gateway/route-facts.ts";
import { ManualClock } from "../../manual-clock.ts";
import { limitedModel } from "./limited-model.ts";

const messageOf = (rows: number) =>
  encodeMessage("inference", "inference.ModelInferRequest", {
    modelName: "digits",
    inputs: [{ name: "x", datatype: "FP32", shape: [rows, 2] }],
  });
const one = messageOf(1);

describe("limits", () => {
  let clock: ManualClock;
  let limits: Limits;

  beforeEach(() => {
    clock = new ManualClock();
    limits = new Limits({ principalsMax: 3, shared: undefined, clock });
  });

  const attempt = (model: ModelRoute, principal = "ann", message: Uint8Array = one) =>
    limits.attempt({ headers: { "amaas-principal": principal }, message, model }, true) as Attempt;
  const admit = (...request: Parameters<typeof attempt>) => {
    const made = attempt(...request);
    if (made.kind === "refused") throw new Error("it was refused");
    return made;
  };
  const refusal = (model: ModelRoute, principal = "ann", message: Uint8Array = one): ServiceError => {
    const made = attempt(model, principal, message);
    if (made.kind === "admitted") throw new Error("it was admitted");
    return limits.refused({ headers: {}, message, model }, made);
  };
  it("let everything pass where a model has none", () => {
    const model = { ...limitedModel(), traffic: undefined };
    for (let count = 0; count < 1000; count++) admit(model).release();
    for (let count = 0; count < 1000; count++) admit(limitedModel({}, {})).release();
  });

  it("refuse with the limit, the value seen, the one needed, and when it fits", () => {
    const model = limitedModel({ requestsPerSecond: 2 });
    admit(model);
    admit(model);
    clock.advance(100);
    const { reason, message, metadata, retryDelayMs } = refusal(model);
    expect(reason).to.equal("LIMIT_EXCEEDED");
    expect(metadata).to.deep.equal({
      model: "digits",
      principal: "ann",
      limit: "per_principal.requests_per_second",
      seen: "1",
      needed: "2 per second, 2 at once",
    });
    expect(retryDelayMs).to.be.closeTo(400, 1e-6);
    expect(message).to.equal(
      "model 'digits' takes at most 2 requests per second of principal 'ann', and 2 at once: this request counts 1, which fits in 400 ms",
    );
    clock.advance(400);
    admit(model);
  });

  for (const [limit, message] of [
    ["rowsPerSecond", messageOf(65)],
    ["bytesPerSecond", Buffer.concat([one, Buffer.from([0x3a, 50]), Buffer.alloc(50)])],
  ] as const) {
    it(`say that a request can never fit into ${limit}, without a time to retry`, () => {
      const { reason, metadata, retryDelayMs } = refusal(limitedModel({}, { [limit]: 64 }), "ann", message);
      expect(reason).to.equal("REQUEST_TOO_LARGE");
      expect(metadata)
        .to.include({ needed: "64 per second, 64 at once", model: "digits" })
        .and.not.have.key("principal");
      expect(retryDelayMs).to.equal(undefined);
    });
  }

  it("count rows and bytes of the requests that they admit, and of no other", () => {
    const model = limitedModel({ rowsPerSecond: 100, requestsPerSecond: 3 });
    admit(model, "ann", messageOf(60));
    expect(refusal(model, "ann", messageOf(41)).metadata.limit).to.equal("per_principal.rows_per_second");
    admit(model, "ann", messageOf(40));
    admit(limitedModel({ requestsPerSecond: 3 }));
    expect(refusal(model, "ann", messageOf(1)).retryDelayMs).to.be.closeTo(1000 / 3, 1e-6);
  });

  it("count each principal apart, and all together", () => {
    const model = limitedModel({ requestsPerSecond: 2 }, { requestsPerSecond: 3 });
    admit(model, "ann");
    admit(model, "ann");
    expect(refusal(model, "ann").metadata.limit).to.equal("per_principal.requests_per_second");
    admit(model, "bob");
    expect(refusal(model, "bob").metadata.limit).to.equal("total.requests_per_second");
    clock.advance(334);
    // Nothing was taken of bob's own for the refused one.
    admit(model, "bob");
  });

  it("count callers without a name as one, and refuse names that cannot be read", () => {
    const model = limitedModel({ requestsPerSecond: 1 });
    admit(model, "");
    expect(refusal(model, "anonymous").reason).to.equal("LIMIT_EXCEEDED");
    expect(() => attempt(model, "x".repeat(257))).to.throw("257 characters long; needed: at most 256");
    const headers = { "amaas-principal": "J\u00fcrgen" };
    expect(() => limits.attempt({ headers, message: one, model }, true)).to.throw("needed: printable ASCII");
  });

  it("do not take a message of a stream for what runs, however late its stream has ended", () => {
    const model = limitedModel({ concurrentRequests: 1 });
    const stream = admit(model);
    const message = limits.attempt({ headers: { "amaas-principal": "ann" }, message: one, model }, false) as Attempt;
    stream.release();
    if (message.kind === "admitted") message.release();
    admit(model);
    expect(refusal(model).reason).to.equal("LIMIT_EXCEEDED");
  });

  it("change at once with the table", () => {
    admit(limitedModel({ requestsPerSecond: 1, concurrentRequests: 1 }));
    expect(refusal(limitedModel({ requestsPerSecond: 1 })).metadata.seen).to.equal("1");
    admit(limitedModel({ requestsPerSecond: 100 }));
    expect(refusal(limitedModel({ concurrentRequests: 2 })).metadata.limit).to.equal(
      "per_principal.concurrent_requests",
    );
    admit(limitedModel({ concurrentRequests: 3 }));
  });

  it("never admit more at the same time than is allowed, and never more than rate · t + burst", () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("admit" as const),
        principal: fc.constantFrom("ann", "bob"),
        rows: fc.integer({ min: 1, max: 40 }),
      }),
      fc.record({ kind: fc.constant("release" as const), index: fc.nat() }),
      fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 400 }) }),
    );
    const model = limitedModel(
      { concurrentRequests: 3, requestsPerSecond: 10 },
      { concurrentRequests: 4, rowsPerSecond: 50 },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        clock = new ManualClock();
        limits = new Limits({ principalsMax: 3, shared: undefined, clock });
        const running: { principal: string; release: () => void }[] = [];
        const counts = { ann: 0, bob: 0, rows: 0 };
        for (const step of steps) {
          if (step.kind === "wait") clock.advance(step.ms);
          else if (step.kind === "release") running.splice(step.index % (running.length + 1), 1)[0]?.release();
          else {
            const made = attempt(model, step.principal, messageOf(step.rows));
            if (made.kind === "refused") continue;
            running.push({ principal: step.principal, release: made.release });
            counts[step.principal as "ann" | "bob"]++;
            counts.rows += step.rows;
          }
          const seconds = clock.monotonicMs() / 1000;
          expect(running.length).to.be.at.most(4);
          for (const principal of ["ann", "bob"] as const) {
            expect(running.filter((one) => one.principal === principal).length).to.be.at.most(3);
            expect(counts[principal]).to.be.at.most(10 * seconds + 10 + 1e-6);
          }
          expect(counts.rows).to.be.at.most(50 * seconds + 50 + 1e-6);
        }
      }),
    );
  });

  describe("and a flood of made-up principals", () => {
    const model = limitedModel({ requestsPerSecond: 10, concurrentRequests: 2 });

    it("forget nobody who has taken something, and hold the flood to what one may", () => {
      for (const principal of ["ann", "bob", "eve"]) admit(model, principal);
      for (let count = 0; count < 9; count++) admit(model, "ann").release();
      const flood = Array.from({ length: 1000 }, (_, index) => attempt(model, `made-up-${index}`).kind);
      expect(flood.filter((kind) => kind === "admitted").length).to.equal(2);
      expect(refusal(model, "ann").metadata.limit).to.equal("per_principal.requests_per_second");
      clock.advance(1000);
      expect(refusal(model, "made-up-1000").metadata.limit).to.equal("per_principal.concurrent_requests");
    });

    it("forget those who are idle, which changes nothing for them", () => {
      for (let round = 0; round < 100; round++) {
        for (let index = 0; index < 3; index++) admit(model, `made-up-${round}-${index}`).release();
        clock.advance(100);
      }
      for (let count = 0; count < 10; count++) admit(model, "ann").release();
      expect(refusal(model, "ann").retryDelayMs).to.be.closeTo(100, 1e-6);
    });
  });

  it("show what they have refused", async () => {
    const model = limitedModel({ requestsPerSecond: 1 });
    admit(model);
    for (let count = 0; count < 3; count++) refusal(model);
    const metrics = new Metrics();
    limits.describe(metrics);
    expect(await metrics.text())
      .to.contain('amaas_gateway_limited_requests_total{model="digits",limit="per_principal.requests_per_second"} 3')
      .and.contain("amaas_gateway_limited_principals 1");
    limits.retain(new Set());
    expect(await metrics.text()).not.to.contain('model="digits"');
  });
});
