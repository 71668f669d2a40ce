import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { doublingModel } from "./doubling.ts";
import { publish } from "./publishing.ts";
import { RunningSuite } from "./running-suite.ts";
import { served } from "./served.ts";

const timeoutMs = 10_000;
const atOnceMs = 2_000;

describe("a suite that loses services", function () {
  this.timeout(60_000);
  const suite = new RunningSuite();
  before(async () => {
    await suite.start();
    await publish(suite.registry, "doubling", doublingModel());
    await served(suite.inference, "doubling");
  });
  after(() => suite.remove());

  const double = async (value: number) => {
    const input = { name: "x", datatype: "FP32", shape: [1, 2], contents: { fp32Contents: [value, 0] } };
    const { rawOutputContents } = await suite.inference.unary("ModelInfer", { modelName: "doubling", inputs: [input] });
    return rawOutputContents[0].readFloatLE();
  };

  const controlCalls = {
    registry: () => suite.registry.unary("ListModels", {}, { timeoutMs }),
    trainer: () => suite.trainer.unary("ListJobs", {}, { timeoutMs }),
  };

  for (const name of ["registry", "trainer", "redis"] as const) {
    const refusing = name === "redis" ? "" : ", refuses its calls with UNAVAILABLE at once";
    it(`goes on predicting while ${name} is dead${refusing}, and the rest is back after its restart`, async () => {
      await suite.withDead(name, async () => {
        for (let i = 0; i < 50; i++) expect(await double(i)).to.equal(2 * i);
        if (name === "redis") return;
        for (let i = 0; i < 5; i++) await expectUnavailableAtOnce(controlCalls[name]);
      });
      await answered(() => Promise.all([controlCalls.registry(), controlCalls.trainer()]));
    });
  }

  it("loads a killed node's versions again", async () => {
    suite.kill("inference");
    await served(suite.inference, "doubling");
    expect(await double(21)).to.equal(42);
  });

  it("stops with exit code 0 and leaves no process behind", async () => {
    const pids = [...suite.members.values()].map(({ pid }) => pid);
    expect(await suite.stop()).to.equal(0);
    for (const pid of pids) expect(() => process.kill(pid, 0), `process ${pid}`).to.throw("ESRCH");
  });
});

/** A dead service's call ends with UNAVAILABLE, long before its deadline. */
async function expectUnavailableAtOnce(call: () => Promise<unknown>): Promise<void> {
  const begin = performance.now();
  const fault = await call().then(() => expect.fail("a dead service has answered"), remoteFaultOf);
  expect(fault.code, fault.message).to.equal(status.UNAVAILABLE);
  expect(performance.now() - begin).to.be.below(atOnceMs);
}

/** Settles once a call succeeds; rejects with its last failure after twenty seconds. */
async function answered(call: () => Promise<unknown>): Promise<void> {
  const giveUpMs = Date.now() + 20_000;
  for (let last: unknown; ; await sleep(20)) {
    if (Date.now() > giveUpMs) throw new Error("the rest is not back", { cause: last });
    try {
      await call();
      return;
    } catch (failure) {
      last = failure;
    }
  }
}
