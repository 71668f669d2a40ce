import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { expandingModel } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";

describe("answers of an inference node that are larger than a message may be", function () {
  this.timeout(60_000);
  const messageBytesMax = 1_000_000;
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;

  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    node = await startNode(folder.path, registry.address, { messageBytesMax });
    registry.assign({ model: "expanding", version: 1, ...registry.store(expandingModel()), aliases: ["default"] });
    await registry.reportedState("models/expanding/versions/1", "STATE_READY");
  });

  afterEach(async () => {
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  const expanding = (count: bigint): ModelInferRequest => ({
    modelName: "expanding",
    id: String(count),
    inputs: [{ name: "x", datatype: "INT64", shape: [1] }],
    rawInputContents: [Buffer.from(BigInt64Array.of(count).buffer)],
  });

  it("are refused with their size and the bound, before they are written", async () => {
    const fault = remoteFaultOf(await node.client.unary("ModelInfer", expanding(1_000_000n)).catch((thrown) => thrown));
    expect(fault).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "RESPONSE_TOO_LARGE" });
    expect(fault.message).to.equal(
      "the outputs of model 'expanding' have 4000000 bytes; needed: at most 1000000 (AMAAS_MESSAGE_BYTES_MAX)",
    );
    const { outputs } = await node.client.unary("ModelInfer", expanding(200_000n));
    expect(outputs[0].shape).to.deep.equal(["200000"]);
  });

  it("do not end a stream", async () => {
    const stream = node.client.duplex("ModelStreamInfer", { timeoutMs: 30_000 });
    await stream.write(expanding(1_000_000n));
    await stream.write(expanding(3n));
    stream.end();
    const answers: string[] = [];
    for await (const { errorMessage, inferResponse } of stream.replies)
      answers.push(`${inferResponse!.id} ${errorMessage}`);
    expect(answers[0]).to.match(/^1000000 the outputs of model 'expanding' have 4000000 bytes/);
    expect(answers.slice(1)).to.deep.equal(["3 "]);
  });
});
