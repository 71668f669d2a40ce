import { once } from "node:events";
import { connect } from "node:http2";
import { gzipSync } from "node:zlib";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import type { ModelStreamInferResponse__Output as ModelStreamInferResponse } from "../../lib/gen/inference/ModelStreamInferResponse.ts";
import { framed } from "../../lib/rpc/framing.ts";
import { decodeMessage } from "../../lib/rpc/protos.ts";
import { statusOf } from "../../lib/rpc/status.ts";
import { scrape } from "../metrics/scrape.ts";
import { eventually, routeOf } from "./harness.ts";
import { collected, requestOf, StreamStage } from "./stream-stage.ts";

const responseOf = (bytes: Buffer) =>
  decodeMessage<ModelStreamInferResponse>("inference", "inference.ModelStreamInferResponse", bytes);

describe("a stream of several models", () => {
  let stage: StreamStage;

  beforeEach(async () => {
    stage = await StreamStage.start();
  });

  afterEach(() => stage.stop());

  it("answers a request that it cannot route with the fault's text and the request's id, and goes on", async () => {
    const call = stage.stream();
    const good = requestOf({ modelName: "digits", id: "b" });
    call.write(requestOf({ modelName: "nothing", id: "a" }));
    call.write(good);
    call.end();
    const { messages, fault } = await collected(call);
    const isOwn = (message: Buffer) => !message.equals(good);
    const refusal = responseOf(messages.find(isOwn)!);
    expect(refusal.errorMessage).to.match(/^Request for unknown model: 'nothing'/);
    expect(refusal.inferResponse?.id).to.equal("a");
    expect([messages.length, fault]).to.deep.equal([2, undefined]);
  });

  it("ends with such a fault as its status where it asks for that, as Triton's clients can", async () => {
    const call = stage.stream({ triton_grpc_error: "true" });
    call.write(requestOf({ modelName: "nothing", id: "a" }));
    expect((await collected(call)).fault).to.include({ code: status.NOT_FOUND, reason: "MODEL_NOT_FOUND" });
  });

  it("sends each request to its own model and version, and what names the same to the same place", async () => {
    const call = stage.stream();
    const names = ["digits@1", "digits", "digits@1", "letters", "digits"];
    const sent = names.map((modelName, index) => requestOf({ modelName, id: `${index}`.padStart(5000, "x") }));
    for (const message of sent) call.write(message);
    call.end();
    const { messages, fault } = await collected(call);
    expect(fault).to.equal(undefined);
    expect(new Set(messages.map(String))).to.deep.equal(new Set(sent.map(String)));
    const of = (index: number) => messages.findIndex((message) => message.equals(sent[index]!));
    expect([of(0) < of(2), of(1) < of(4)]).to.deep.equal([true, true]);
    const [first, second] = stage.nodes.map(({ address }) => address);
    const placed = stage.opened.map(({ node, call: { metadata } }) => [
      metadata.get("amaas-model")[0],
      metadata.get("amaas-version")[0],
      node.address,
    ]);
    expect(placed).to.have.deep.members([
      ["digits", "1", first],
      ["digits", "2", second],
      ["letters", "1", first],
    ]);
  });

  it("follows an alias that moves, without an error for what is under way", async () => {
    const call = stage.stream();
    const answered = async (id: string) => {
      const message = requestOf({ modelName: "digits", id });
      const [received] = await Promise.all([once(call, "data"), call.write(message)]);
      expect(message.equals(received[0])).to.equal(true);
    };
    await answered("a");
    stage.registry.change(
      routeOf("digits", { 1: [stage.nodes[0]!.address], 2: [stage.nodes[1]!.address] }, { default: 1 }),
    );
    await eventually(async () => {
      await answered("b");
      expect(stage.opened.at(-1)!.call.metadata.get("amaas-version")).to.deep.equal(["1"]);
    });
    await eventually(() => expect(stage.opened[0]!.isEnded).to.equal(true));
    await answered("c");
    call.end();
    expect((await collected(call)).fault).to.equal(undefined);
  });

  it("goes to no more versions on nodes than it may, and says so", async () => {
    const call = stage.stream();
    for (const modelName of ["digits@1", "digits@2", "letters", "words"]) call.write(requestOf({ modelName }));
    call.end();
    const { messages, fault } = await collected(call);
    expect(fault).to.equal(undefined);
    expect(messages.map((message) => responseOf(message).errorMessage).join("")).to.contain(
      "3 versions on nodes, its limit",
    );
  });

  it("is sent to another replica where a node is lost before it has answered the first request", async () => {
    const [first, second] = stage.nodes;
    stage.registry.change(routeOf("both", { 1: [first!.address, second!.address] }, { default: 1 }));
    await stage.gateway.routed("both");
    first!.stream = (call) => call.emit("error", { code: status.UNAVAILABLE, details: "going" });
    for (let count = 0; count < 10; count++) {
      const call = stage.stream();
      const request = requestOf({ modelName: "both", id: `${count}` });
      call.write(request);
      call.end();
      const { messages, fault } = await collected(call);
      expect([messages.map(String), fault]).to.deep.equal([[String(request)], undefined]);
    }
  });

  it("goes on elsewhere where a node drains that has answered everything", async () => {
    const [first, second] = stage.nodes;
    stage.registry.change(routeOf("both", { 1: [first!.address, second!.address] }, { default: 1 }));
    await stage.gateway.routed("both");
    const drains = (requests: number) =>
      statusOf(new ServiceError("DRAINING", "drains", { metadata: { answeredRequests: `${requests}` } }));
    for (const node of stage.nodes) {
      node.stream = (call) => {
        call.on("data", (message) => {
          call.write(message);
          call.emit("error", drains(1));
        });
      };
    }
    const call = stage.stream();
    for (const id of ["a", "b", "c"]) {
      const request = requestOf({ modelName: "both", id });
      const [received] = await Promise.all([once(call, "data"), call.write(request)]);
      expect(request.equals(received[0])).to.equal(true);
    }
    call.end();
    expect((await collected(call)).fault).to.equal(undefined);
  });

  it("goes nowhere any longer once it has ended, whatever was still being expanded", async () => {
    const held = async () => (await scrape(stage.gateway.metricsPort)).get("amaas_gateway_request_bytes")!;
    const [, second] = stage.nodes;
    let fail: () => void = () => undefined;
    second!.stream = (call) => {
      stage.opened.push({ node: second!, call, isEnded: false });
      fail = () => call.emit("error", { code: status.INVALID_ARGUMENT, details: "no" });
      call.on("data", () => undefined);
    };
    const session = connect(`http://${stage.gateway.address}`);
    const stream = session.request({
      ":method": "POST",
      ":path": "/inference.GRPCInferenceService/ModelStreamInfer",
      "content-type": "application/grpc",
      "grpc-encoding": "gzip",
      te: "trailers",
    });
    stream.resume();
    stream.write(framed(requestOf({ modelName: "digits" })));
    await eventually(() => expect(stage.opened.length).to.equal(1));
    const large = framed(gzipSync(requestOf({ modelName: "letters", rawInputContents: [Buffer.alloc(50_000_000)] })));
    large[0] = 1;
    stream.write(large);
    await eventually(async () => expect(await held()).to.be.above(0));
    fail();
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    expect(Number(headers["grpc-status"])).to.equal(status.INVALID_ARGUMENT);
    await eventually(async () => expect(await held()).to.equal(0));
    expect(stage.opened.length).to.equal(1);
    session.close();
  });

  it("says of a node's drain how many requests are answered only where that node had all of them", async () => {
    const drains = statusOf(new ServiceError("DRAINING", "drains", { metadata: { answeredRequests: "1" } }));
    for (const node of stage.nodes) {
      node.stream = (call) => call.once("data", () => call.once("data", () => call.emit("error", drains)));
    }
    const faultAfter = async (...names: string[]) => {
      const call = stage.stream();
      for (const modelName of names) call.write(requestOf({ modelName }));
      return (await collected(call)).fault!;
    };
    expect((await faultAfter("digits", "digits")).metadata).to.deep.equal({ answeredRequests: "1" });
    const { reason, metadata } = await faultAfter("nothing", "digits", "digits");
    expect([reason, metadata]).to.deep.equal(["DRAINING", {}]);
  });
});
