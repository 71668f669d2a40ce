import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import type { ModelStreamInferResponse__Output as StreamResponse } from "../../lib/gen/inference/ModelStreamInferResponse.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { countdownModel, countingDown, generating, tokenModel } from "./stateful-models.ts";
import { bytesOf } from "./wire.ts";

describe("a node with decoupled models", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;

  before(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    node = await startNode(folder.path, registry.address);
    const countdown = registry.store(countdownModel());
    const wrong = { ...countingDown.decoupled, lastOutput: "over" };
    registry.assign(
      { model: "countdown", version: 1, ...countdown, settings: countingDown, aliases: ["default"] },
      { model: "tokens", version: 1, ...registry.store(tokenModel()), settings: generating, aliases: ["default"] },
      {
        ...{ model: "endless", version: 1, ...registry.store(tokenModel()), aliases: ["default"] },
        settings: { ...generating, decoupled: { ...generating.decoupled, lastOutput: "", maxResponses: 1_000_000 } },
      },
      { model: "wrong", version: 1, ...countdown, settings: { decoupled: wrong }, aliases: ["default"] },
    );
    await registry.reported(
      ({ replicas }) => replicas.length === 4 && replicas.every(({ state }) => state !== "STATE_LOADING"),
    );
  });

  after(async () => {
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  const countdown = (from: number, parameters: ModelInferRequest["parameters"] = {}): ModelInferRequest => ({
    modelName: "countdown",
    id: `from ${from}`,
    inputs: [{ name: "x", datatype: "INT64", shape: [1, 1] }],
    outputs: [{ name: "left" }],
    rawInputContents: [bytesOf(BigInt64Array.of(BigInt(from)))],
    parameters,
  });
  const tokens = (id: number, token: number, parameters: ModelInferRequest["parameters"] = {}): ModelInferRequest => ({
    modelName: "tokens",
    id: String(id),
    inputs: [{ name: "token", datatype: "INT64", shape: [1, 1] }],
    outputs: [{ name: "next" }, { name: "seen" }],
    rawInputContents: [bytesOf(BigInt64Array.of(BigInt(token)))],
    parameters: { sequence_id: { uint64Param: id }, ...parameters },
  });
  const numbersOf = ({ inferResponse }: StreamResponse) =>
    inferResponse!.rawOutputContents.map((raw) => Number(raw.readBigInt64LE()));
  const isFinal = ({ inferResponse }: StreamResponse) => inferResponse!.parameters.triton_final_response.boolParam;
  const replies = async (...requests: ModelInferRequest[]): Promise<StreamResponse[]> => {
    const stream = node.client.duplex("ModelStreamInfer", { timeoutMs: 30_000 });
    for (const request of requests) await stream.write(request);
    stream.end();
    const all: StreamResponse[] = [];
    for await (const reply of stream.replies) all.push(reply as StreamResponse);
    return all;
  };

  it("answers until the model says that it is done, and says which response is the last", async () => {
    const all = await replies(countdown(4));
    expect(all.map(numbersOf)).to.deep.equal([[3], [2], [1], [0]]);
    expect(all.map(isFinal)).to.deep.equal([false, false, false, true]);
    expect(all.map(({ inferResponse }) => inferResponse!.id)).to.deep.equal(Array(4).fill("from 4"));
  });

  it("answers no oftener than the request wants", async () => {
    const all = await replies(countdown(4, { max_responses: { int64Param: 2 } }));
    expect(all.map(numbersOf)).to.deep.equal([[3], [2]]);
    expect(all.map(isFinal)).to.deep.equal([false, true]);
    const [{ errorMessage }] = await replies(countdown(4, { max_responses: { int64Param: 1001 } }));
    expect(errorMessage).to.equal("the parameter 'max_responses' is 1001; needed: at most 1000, as the model is set");
  });

  it("ends with an empty response where the request wants that", async () => {
    const all = await replies(countdown(2, { triton_enable_empty_final_response: { boolParam: true } }));
    expect(all.map(numbersOf)).to.deep.equal([[1], [0], []]);
    expect(all.map(isFinal)).to.deep.equal([false, false, true]);
  });

  it("lets no request wait for the responses of another one", async () => {
    const order = (await replies(countdown(200), countdown(3))).map(({ inferResponse }) => inferResponse!.id);
    expect(order.length).to.equal(203);
    expect(order.lastIndexOf("from 3")).to.be.below(20);
  });

  it("keeps a state over the responses and over the requests of a sequence", async () => {
    const first = await replies(
      tokens(5, 1, { sequence_start: { boolParam: true }, max_responses: { int64Param: 3 } }),
    );
    expect(first.map(numbersOf)).to.deep.equal([
      [3, 1],
      [2, 2],
      [5, 3],
    ]);
    const rest = await replies(tokens(5, 5, { sequence_end: { boolParam: true } }));
    expect(rest.map(numbersOf).map(([, seen]) => seen)).to.deep.equal([4, 5, 6].slice(0, rest.length));
    expect(numbersOf(rest.at(-1)!)[0]).to.equal(0);
    const [{ errorMessage }] = await replies(tokens(5, 5));
    expect(errorMessage).to.match(/must specify the START flag/);
  });

  const statisticsOf = async (name: string) =>
    (await node.client.unary("ModelStatistics", { name, version: "1" })).modelStats[0];

  it("joins the runs of many requests, also of other streams, and mixes none of them up", async () => {
    const before = await statisticsOf("tokens");
    const start = { sequence_start: { boolParam: true } };
    const streams = Array.from({ length: 4 }, (_, stream) =>
      replies(...[1, 2, 3, 4, 5, 6].map((token) => tokens(100 + stream * 10 + token, token, start))),
    );
    const followers = [1, 3, 5, 2, 6, 4, 0];
    for (const all of await Promise.all(streams)) {
      for (let token = 1; token <= 6; token++) {
        const ofRequest = all.filter(({ inferResponse }) => Number(inferResponse!.id) % 10 === token).map(numbersOf);
        const wanted: number[] = [];
        for (let next = followers[token]; ; next = followers[next]) {
          wanted.push(next);
          if (next === 0 || wanted.length === 100) break;
        }
        expect(ofRequest).to.deep.equal(wanted.map((next, index) => [next, index + 1]));
      }
    }
    const { executionCount, inferenceStats, responseStats } = await statisticsOf("tokens");
    const answered = Object.values(responseStats).reduce((sum, { success }) => sum + Number(success!.count), 0);
    expect(Number(inferenceStats!.success!.count) - Number(before.inferenceStats!.success!.count)).to.equal(24);
    expect(Number(executionCount)).to.be.below(answered / 2);
  });

  it("stops where the caller goes, and lets the next request of the sequence go on from there", async () => {
    const endless = (parameters: ModelInferRequest["parameters"]) => ({
      ...tokens(9, 1, parameters),
      modelName: "endless",
    });
    const stream = node.client.duplex("ModelStreamInfer", { timeoutMs: 30_000 });
    await stream.write(endless({ sequence_start: { boolParam: true } }));
    const first = await stream.replies[Symbol.asyncIterator]().next();
    expect(numbersOf(first.value as StreamResponse)[1]).to.equal(1);
    stream.cancel();
    const one = { max_responses: { int64Param: 1 } };
    const [[, seen], [, later]] = (await replies(endless(one), endless(one))).map(numbersOf);
    expect(seen).to.be.within(2, 100_000);
    expect(later).to.equal(seen + 1);
  });

  it("refuses ModelInfer, unless there can be but one response", async () => {
    const infer = (request: ModelInferRequest) => node.client.unary("ModelInfer", request, { timeoutMs: 10_000 });
    const fault = await infer(countdown(4)).then(() => expect.fail("it was answered"), remoteFaultOf);
    expect(fault.code).to.equal(status.UNIMPLEMENTED);
    expect(fault.message).to.contain("ModelInfer RPC doesn't support models with decoupled transaction policy");
    const { rawOutputContents } = await infer(countdown(4, { max_responses: { int64Param: 1 } }));
    expect(rawOutputContents[0].readBigInt64LE()).to.equal(3n);
  });

  it("does not load a version whose settings do not fit its model, and says why", () => {
    const { state, reason } = registry.reports
      .at(-1)!
      .replicas.find(({ version }) => version === "models/wrong/versions/1")!;
    expect(state).to.equal("STATE_FAILED");
    expect(reason).to.equal(
      "the serving settings do not fit the model: decoupled.last_output names the output 'over'; the model has 'left', 'done'",
    );
  });
});
