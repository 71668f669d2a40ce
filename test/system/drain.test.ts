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

  it("answers every call that it has accepted", async () => {
    const input = { name: "x", datatype: "FP32", shape: [1, 2] };
    const call = (value: number) =>
      suite.inference.unary("ModelInfer", {
        modelName: "doubling",
        inputs: [input],
        rawInputContents: [Buffer.from(Float32Array.from([value, 0]).buffer)],
      });
    await call(0);
    const calls = Array.from({ length: 200 }, (_, i) => call(i));
    // By the time that the middle one is answered, the gateway has read all of them.
    await calls[100];
    process.kill(suite.members.get("gateway")!.pid, "SIGTERM");
    const answers = await Promise.all(calls);
    expect(answers.map(({ rawOutputContents }) => rawOutputContents[0].readFloatLE())).to.deep.equal(
      calls.map((_, i) => 2 * i),
    );
  });
});
