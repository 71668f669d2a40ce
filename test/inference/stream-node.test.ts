import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { addingModel } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { bytesOf, floatsOf } from "./wire.ts";

describe("a stream to an inference node", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;

  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    node = await startNode(folder.path, registry.address);
    registry.assign({ model: "adding", version: 1, ...registry.store(addingModel(1)), aliases: ["default"] });
    await registry.reportedState("models/adding/versions/1", "STATE_READY");
  });

  afterEach(async () => {
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  const adding = (value: number, changes: Partial<ModelInferRequest> = {}): ModelInferRequest => ({
    modelName: "adding",
    id: String(value),
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }],
    rawInputContents: [bytesOf(Float32Array.of(value, -value))],
    ...changes,
  });

  it("answers many requests, in their order, at the speed of a slow reader", async () => {
    const count = 1000;
    const stream = node.client.duplex("ModelStreamInfer", { timeoutMs: 30_000 });
    const writing = (async () => {
      for (let value = 0; value < count; value++) await stream.write(adding(value));
      stream.end();
    })();
    let value = 0;
    for await (const { errorMessage, inferResponse } of stream.replies) {
      if (value % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      expect(errorMessage).to.equal("");
      expect(inferResponse!.id).to.equal(String(value));
      expect(floatsOf(inferResponse!.rawOutputContents[0])).to.deep.equal([value + 1, 1 - value]);
      value++;
    }
    await writing;
    expect(value).to.equal(count);
  });

  it("goes on after faults of every kind", async () => {
    const stream = node.client.duplex("ModelStreamInfer", { timeoutMs: 30_000 });
    await stream.write(adding(1, { modelName: "nothing" }));
    await stream.write(adding(2, { rawInputContents: [Buffer.alloc(3)] }));
    await stream.write(adding(3));
    stream.end();
    const answers: string[] = [];
    for await (const { errorMessage, inferResponse } of stream.replies) {
      answers.push(`${inferResponse!.id} ${errorMessage}`);
    }
    expect(answers[0]).to.match(/^1 Request for unknown model: 'nothing'/);
    expect(answers[1]).to.match(/^2 input 'x' of model 'adding' has 3 bytes/);
    expect(answers.slice(2)).to.deep.equal(["3 "]);
  });

  it("ends with a status where it asks for that", async () => {
    const metadata = { triton_grpc_error: "true" };
    const stream = node.client.duplex("ModelStreamInfer", { timeoutMs: 30_000, metadata });
    await stream.write(adding(1));
    await stream.write(adding(2, { modelName: "nothing" }));
    const answered: string[] = [];
    const fault = await (async () => {
      for await (const { inferResponse } of stream.replies) answered.push(inferResponse!.id);
    })().then(() => expect.fail("the stream ended well"), remoteFaultOf);
    expect(answered).to.deep.equal(["1"]);
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
  });

  it("that is open when the node stops ends with UNAVAILABLE and how many requests it has answered", async () => {
    const stream = node.client.duplex("ModelStreamInfer", { timeoutMs: 30_000 });
    await stream.write(adding(1));
    const replies = stream.replies[Symbol.asyncIterator]();
    expect((await replies.next()).value.inferResponse.id).to.equal("1");
    const rest = replies.next().then(() => expect.fail("the stream went on"), remoteFaultOf);
    await node.service.stop();
    expect(await rest).to.deep.include({
      code: status.UNAVAILABLE,
      reason: "DRAINING",
      metadata: { answeredRequests: "1" },
    });
  });
});
