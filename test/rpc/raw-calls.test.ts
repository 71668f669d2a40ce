import { gzipSync } from "node:zlib";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { frame, frameFlag, frameType } from "../../lib/http2/frames.ts";
import { framed } from "../../lib/rpc/framing.ts";
import { decodeMessage } from "../../lib/rpc/protos.ts";
import { resetOf } from "../http2/raw-caller.ts";
import { data, trailers } from "../http2/raw-peer.ts";
import { RawGrpcCaller } from "./raw-grpc.ts";
import { getModel, messageBytesMax, Served, service, uploaded } from "./served.ts";

const { endStream } = frameFlag;

describe("a server of gRPC, called frame by frame,", () => {
  let served: Served;
  let caller: RawGrpcCaller;

  beforeEach(async () => {
    served = new Served();
    caller = new RawGrpcCaller(await served.start());
    caller.greet();
  });

  afterEach(async () => {
    caller.socket.destroy();
    await served.server.stop();
  });

  const statusOf = async (stream: number) => {
    const { trailers: said } = await caller.answer(stream);
    return [Number(said["grpc-status"]), decodeURIComponent(String(said["grpc-message"] ?? ""))] as const;
  };
  const packed = (bytes: Buffer) => {
    const message = framed(bytes);
    message[0] = 1;
    return message;
  };

  it("answers with headers, a message, and a status behind it", async () => {
    caller.send(caller.begin(1, "GetModel"), data(1, framed(getModel("models/a")), endStream));
    const { headers, trailers: said, body } = await caller.answer(1);
    expect({ ...headers }).to.deep.equal({
      ":status": "200",
      "content-type": "application/grpc+proto",
      "grpc-encoding": "identity",
      "grpc-accept-encoding": "identity,gzip,deflate",
    });
    expect({ ...said }).to.deep.equal({ "grpc-status": "0" });
    const model = decodeMessage<{ name: string }>("registry", "amaas.registry.v1.Model", body.subarray(5));
    expect([body[0], body.readUInt32BE(1), model.name]).to.deep.equal([0, body.length - 5, "models/a"]);
  });

  it("takes a message byte by byte, with frames of nothing between, and trailers behind it", async () => {
    caller.send(caller.begin(1, "GetModel"));
    for (const byte of framed(getModel("models/a"))) caller.send(data(1, Buffer.of(byte)), data(1, Buffer.alloc(0)));
    caller.send(trailers(1));
    expect(await statusOf(1)).to.deep.equal([status.OK, ""]);
  });

  it("takes many messages in a frame, and one across frames, each for itself", async () => {
    const messages = Buffer.concat([10, 0, 1000, 3].map((bytes) => framed(uploaded(bytes))));
    caller.send(caller.begin(1, "UploadArtifact"), data(1, messages.subarray(0, 500)));
    caller.send(data(1, messages.subarray(500)), data(1, Buffer.alloc(0), endStream));
    expect(await statusOf(1)).to.deep.equal([status.OK, ""]);
    expect(served.read).to.equal(4);
  });

  for (const [what, own, code] of [
    ["another method than POST", { ":method": "GET" }, "405"],
    ["another content type", { "content-type": "application/json" }, "415"],
  ] as const) {
    it(`says ${code} to ${what}`, async () => {
      caller.send(caller.begin(1, "GetModel", own, endStream));
      const { headers } = await caller.answer(1);
      expect([headers[":status"], headers["grpc-status"]]).to.deep.equal([code, undefined]);
    });
  }

  it("answers a method that there is not at once, with its path in the text, though more is to come", async () => {
    caller.send(caller.begin(1, "Größe%41"));
    expect(await statusOf(1)).to.deep.equal([
      status.UNIMPLEMENTED,
      `The server does not implement the method /${service}/Größe%41`,
    ]);
    expect(await caller.resetOf(1)).to.equal(0);
  });

  it("answers a call without its one message, and one with a second, with UNIMPLEMENTED", async () => {
    const message = framed(getModel("models/a"));
    caller.send(caller.begin(1, "GetModel", {}, endStream));
    caller.send(caller.begin(3, "GetModel"), data(3, Buffer.concat([message, message])));
    caller.send(caller.begin(5, "DownloadArtifact"), data(5, Buffer.alloc(0), endStream));
    expect(await statusOf(1)).to.deep.equal([status.UNIMPLEMENTED, "the call has no message; needed: one"]);
    expect(await statusOf(3)).to.deep.equal([status.UNIMPLEMENTED, "the call has more than one message; needed: one"]);
    expect((await statusOf(5))[0]).to.equal(status.UNIMPLEMENTED);
    expect(served.calls).to.deep.equal([]);
  });

  it("refuses a message that is cut, of both forms", async () => {
    for (const [stream, method] of [
      [1, "GetModel"],
      [3, "UploadArtifact"],
    ] as const) {
      caller.send(caller.begin(stream, method), data(stream, framed(uploaded(9)).subarray(0, -1), endStream));
      expect(await statusOf(stream)).to.deep.equal([status.INVALID_ARGUMENT, "the call ends inside of a message"]);
    }
  });

  it("refuses a message that is too large before it comes, and one that becomes so", async () => {
    const claim = Buffer.from([0, 0, 1, 0, 1]);
    caller.send(caller.begin(1, "GetModel"), data(1, claim));
    expect(await statusOf(1)).to.deep.equal([
      status.RESOURCE_EXHAUSTED,
      `the message has ${messageBytesMax + 1} bytes; needed: at most ${messageBytesMax}`,
    ]);
    const bomb = packed(gzipSync(Buffer.alloc(10 * messageBytesMax)));
    caller.send(caller.begin(3, "GetModel", { "grpc-encoding": "gzip" }), data(3, bomb, endStream));
    caller.send(caller.begin(5, "UploadArtifact", { "grpc-encoding": "gzip" }), data(5, bomb));
    for (const stream of [3, 5]) expect((await statusOf(stream))[0]).to.equal(status.RESOURCE_EXHAUSTED);
  });

  it("refuses what is compressed without a word how, or by what it does not know, and says what it knows", async () => {
    const message = packed(gzipSync(getModel("models/a")));
    caller.send(caller.begin(1, "GetModel"), data(1, message, endStream));
    caller.send(caller.begin(3, "GetModel", { "grpc-encoding": "zstd" }), data(3, message, endStream));
    caller.send(caller.begin(5, "GetModel", { "grpc-encoding": "deflate" }), data(5, message, endStream));
    expect((await statusOf(1))[0]).to.equal(status.INVALID_ARGUMENT);
    expect((await statusOf(3))[0]).to.equal(status.UNIMPLEMENTED);
    expect((await caller.answer(3)).headers["grpc-accept-encoding"]).to.equal("identity,gzip,deflate");
    expect((await statusOf(5))[0]).to.equal(status.INVALID_ARGUMENT);
  });

  it("refuses a deadline that is none", async () => {
    caller.send(caller.begin(1, "GetModel", { "grpc-timeout": "soon" }));
    expect((await statusOf(1))[0]).to.equal(status.INVALID_ARGUMENT);
  });

  it("ends a call at its deadline, whether its handler runs or its message has not come", async () => {
    const message = framed(getModel("models/never"));
    caller.send(caller.begin(1, "GetModel", { "grpc-timeout": "30m" }), data(1, message, endStream));
    caller.send(caller.begin(3, "GetModel", { "grpc-timeout": "30m" }));
    caller.send(caller.begin(5, "UploadArtifact", { "grpc-timeout": "30m" }));
    for (const stream of [1, 3, 5]) {
      expect(await statusOf(stream)).to.deep.equal([status.DEADLINE_EXCEEDED, "Deadline exceeded"]);
    }
    expect(served.calls).to.have.length(2);
    for (const { signal, cancellation } of served.calls)
      expect([signal.aborted, cancellation.aborted]).to.deep.equal([true, true]);
  });

  it("does not end a call whose deadline is further away than timers count", async () => {
    caller.send(caller.begin(1, "GetModel", { "grpc-timeout": "99999999H" }));
    caller.send(data(1, framed(getModel("models/a")), endStream));
    expect(await statusOf(1)).to.deep.equal([status.OK, ""]);
  });

  it("tells a handler of a call that is reset, or whose connection is lost", async () => {
    const message = framed(getModel("models/never"));
    caller.send(caller.begin(1, "GetModel"), data(1, message, endStream));
    caller.send(caller.begin(3, "GetModel"), data(3, message, endStream));
    await caller.looked();
    const aborts = served.calls.map(
      ({ cancellation }) => new Promise<void>((resolve) => cancellation.addEventListener("abort", resolve)),
    );
    caller.send(resetOf(1));
    await aborts[0];
    expect(served.calls.map(({ signal }) => signal.aborted)).to.deep.equal([true, false]);
    caller.socket.destroy();
    await aborts[1];
    expect(served.calls[1]!.signal.reason).to.include({ reason: "CANCELLED" });
  });

  it("answers before all requests have come, and wants no more of them", async () => {
    // The field of a header, which has nothing in it.
    caller.send(caller.begin(1, "UploadArtifact"), data(1, framed(Buffer.from([0x0a, 0]))));
    expect(await statusOf(1)).to.deep.equal([status.OK, ""]);
    expect(await caller.resetOf(1)).to.equal(0);
    caller.send(data(1, framed(uploaded(10)), endStream));
    await caller.looked();
  });

  it("takes no more requests than its handler reads", async () => {
    let readOn = () => {};
    served.mayRead = new Promise((resolve) => {
      readOn = resolve;
    });
    caller.send(caller.begin(1, "UploadArtifact"));
    const chunk = framed(uploaded(16_000));
    for (let sent = 0; sent < 200; sent++) caller.send(data(1, chunk));
    const isWidened = ({ type, stream }: { type: number; stream: number }) =>
      type === frameType.windowUpdate && stream === 1;
    await caller.looked();
    expect(caller.frames.some(isWidened)).to.equal(false);
    readOn();
    await caller.sent(isWidened);
    caller.send(data(1, Buffer.alloc(0), endStream));
    expect(await statusOf(1)).to.deep.equal([status.OK, ""]);
    expect(served.read).to.equal(200);
  });

  it("makes no more replies than its caller takes", async () => {
    caller.send(caller.begin(1, "DownloadArtifact"));
    const request = Buffer.from([0x10, 0x64]);
    caller.send(data(1, framed(request), endStream));
    await caller.looked();
    await caller.looked();
    expect(served.given).to.be.below(5);
    caller.send(frame(frameType.windowUpdate, 0, 0, Buffer.from([0x7f, 0, 0, 0])));
    caller.send(frame(frameType.windowUpdate, 0, 1, Buffer.from([0x7f, 0, 0, 0])));
    const { body } = await caller.answer(1);
    expect(served.given).to.equal(100);
    expect(body.length).to.be.above(100 * 50_000);
  });
});
