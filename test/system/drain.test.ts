import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { doublingModel } from "./doubling.ts";
import { publish } from "./publishing.ts";
import { RunningSuite } from "./running-suite.ts";
import { served } from "./served.ts";

describe("a gateway that is told to end", function () {
  this.timeout(60_000);
  const suite = new RunningSuite();
  before(async () => {
    await suite.start();
    await publish(suite.registry, "doubling", doublingModel());
    await served(suite.inference, "doubling");
  });
  after(() => suite.remove());

  it("answers every call that it has accepted and ends with exit code 0", async () => {
    const input = { name: "x", datatype: "FP32", shape: [1, 2] };
    const call = (value: number) =>
      suite.inference.unary("ModelInfer", {
        modelName: "doubling",
        inputs: [input],
        rawInputContents: [Buffer.from(Float32Array.from([value, 0]).buffer)],
      });
    // Connected and in use, so that all further calls go over one connection, in order.
    await call(0);
    const calls = Array.from({ length: 200 }, (_, i) => call(i));
    // The gateway answers this one by itself: once it has, it has read all the calls before.
    await suite.inference.unary("ServerLive", {});
    process.kill(suite.members.get("gateway")!.pid, "SIGTERM");
    const answers = await Promise.all(calls);
    expect(answers.map(({ rawOutputContents }) => rawOutputContents[0].readFloatLE())).to.deep.equal(
      calls.map((_, i) => 2 * i),
    );
    await until(() => /^gateway +backing-off .*/m.test(suite.output));
    expect(/^gateway +backing-off .*/m.exec(suite.output)?.[0]).to.contain("ended with exit code 0");
  });
});

async function until(holds: () => boolean): Promise<void> {
  const giveUpMs = Date.now() + 20_000;
  while (!holds() && Date.now() < giveUpMs) await sleep(20);
}
