import { expect } from "chai";
import { decodeMessage } from "../../lib/rpc/protos.ts";
import { eventually, routeOf } from "./harness.ts";
import { collected, requestOf, StreamStage } from "./stream-stage.ts";

describe("a gateway that limits streams", () => {
  let stage: StreamStage;

  beforeEach(async () => {
    stage = await StreamStage.start();
  });

  afterEach(() => stage.stop());

  /** Lets the model letters have these limits, from now on. */
  const limit = async (traffic: object) => {
    const versions = { 1: [stage.nodes[0]!.address] };
    stage.registry.change({ ...routeOf("letters", versions, {}), traffic });
    stage.registry.change(routeOf("limited", versions, {}));
    await stage.gateway.routed("limited");
  };
  const requests = (count: number, model = "letters") =>
    Array.from({ length: count }, (_, index) => requestOf({ modelName: model, id: `${index}` }));
  const errorOf = (message: Buffer): string =>
    decodeMessage<{ readonly errorMessage: string }>("inference", "inference.ModelStreamInferResponse", message)
      .errorMessage;

  it("slows them to what is allowed, in order, and does not read ahead", async () => {
    await limit({ total: { requestsPerSecond: 50 } });
    const call = stage.stream();
    const sent = requests(75);
    const beginMs = performance.now();
    for (const message of sent) call.write(message);
    call.end();
    const { messages, fault } = await collected(call);
    expect(fault).to.equal(undefined);
    expect(Buffer.concat(messages).equals(Buffer.concat(sent))).to.equal(true);
    expect(performance.now() - beginMs).to.be.above(490);
  });

  it("refuses a message that no limit ever allows, and goes on", async () => {
    await limit({ perPrincipal: { bytesPerSecond: 100 } });
    const call = stage.stream();
    const [fine] = requests(1);
    call.write(requestOf({ modelName: "letters", id: "x".repeat(200) }));
    call.write(fine);
    call.end();
    const { messages, fault } = await collected(call);
    expect(fault).to.equal(undefined);
    expect(messages.length).to.equal(2);
    expect(errorOf(messages[0]!)).to.contain("which never fits");
    expect(messages[1]).to.deep.equal(fine);
  });

  it("counts each as one that runs until it ends", async () => {
    await limit({ total: { concurrentRequests: 1 } });
    const [message] = requests(1);
    const open = async () => {
      const call = stage.stream();
      call.write(message);
      const [answer] = await new Promise<[Buffer]>((resolve) => call.once("data", (bytes) => resolve([bytes])));
      return { call, isEcho: answer.equals(message!) };
    };
    const first = await open();
    const second = await open();
    expect([first.isEcho, second.isEcho]).to.deep.equal([true, false]);
    first.call.on("error", () => undefined).cancel();
    second.call.end();
    await collected(second.call);
    await eventually(async () => {
      const { call, isEcho } = await open();
      call.end();
      await collected(call);
      expect(isEcho).to.equal(true);
    });
  });

  it("ends one that waits when it drains, and counts what it has taken", async () => {
    await limit({ total: { requestsPerSecond: 0.05 } });
    const call = stage.stream();
    for (const message of requests(3)) call.write(message);
    await new Promise((resolve) => call.once("data", resolve));
    const outcome = collected(call);
    const beginMs = performance.now();
    const stopped = stage.gateway.stop();
    const { fault } = await outcome;
    expect(fault).to.deep.include({ reason: "DRAINING", metadata: { answeredRequests: "1" } });
    await stopped;
    expect(performance.now() - beginMs).to.be.below(5000);
  });
});
