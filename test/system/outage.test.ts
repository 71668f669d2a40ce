import { expect } from "chai";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { doublingModel } from "./doubling.ts";
import { publish } from "./publishing.ts";
import { RunningSuite } from "./running-suite.ts";
import { served } from "./served.ts";

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

  for (const name of ["registry", "trainer", "redis"]) {
    it(`goes on predicting while ${name} is dead, and the rest is back after its restart`, async () => {
      suite.kill(name);
      for (let i = 0; i < 50; i++) expect(await double(i)).to.equal(2 * i);
      const back = async (): Promise<unknown> =>
        Promise.all([suite.registry.unary("ListModels", {}), suite.trainer.unary("ListJobs", {})]).catch(back);
      await back();
    });
  }

  it("answers control calls with UNAVAILABLE at once while their service is dead", async () => {
    suite.kill("registry");
    const begin = performance.now();
    const fault = await suite.registry
      .unary("ListModels", {}, { timeoutMs: 5000 })
      .then(() => undefined, remoteFaultOf);
    if (fault !== undefined) expect(fault).to.include({ code: 14 });
    expect(performance.now() - begin).to.be.below(4000);
  });

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
