import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { eventually, inferPath } from "./harness.ts";
import { RawClient } from "./raw-client.ts";
import { collected, requestOf, StreamStage } from "./stream-stage.ts";

describe("the gateway, for inference streams,", () => {
  let stage: StreamStage;

  beforeEach(async () => {
    stage = await StreamStage.start();
  });

  afterEach(() => stage.stop());

  it("sends all messages where the first one belongs, in order, and all answers back", async () => {
    const call = stage.stream();
    const sent = Array.from({ length: 300 }, (_, i) =>
      requestOf({ modelName: "digits", modelVersion: "1", id: `${i}` }),
    );
    for (const message of sent) call.write(message);
    call.end();
    const { messages, metadata, trailers, fault } = await collected(call);
    expect(fault).to.equal(undefined);
    expect(Buffer.concat(messages).equals(Buffer.concat(sent))).to.equal(true);
    expect(metadata.get("amaas-version")).to.deep.equal(["1"]);
    expect(metadata.get("amaas-node")).to.deep.equal([stage.nodes[0]!.address]);
    expect(trailers.get("last")).to.deep.equal(["word"]);
    expect(stage.opened.at(-1)!.call.metadata.get("amaas-version")).to.deep.equal(["1"]);
  });

  it("answers before the caller has sent everything", async () => {
    const call = stage.stream();
    for (let i = 0; i < 5; i++) {
      const answered = new Promise((resolve) => call.once("data", resolve));
      const message = requestOf({ modelName: "digits", id: `${i}` });
      call.write(message);
      expect(await answered).to.deep.equal(message);
    }
    call.end();
    expect((await collected(call)).fault).to.equal(undefined);
  });

  it("refuses a stream with malformed bytes", async () => {
    const call = stage.stream();
    call.write(Buffer.from([0x0a, 9]));
    expect((await collected(call)).fault?.code).to.equal(status.INVALID_ARGUMENT);
  });

  it("ends an empty stream without asking anybody", async () => {
    const call = stage.stream();
    call.end();
    expect(await collected(call)).to.deep.include({ messages: [], fault: undefined });
  });

  it("relays a node's refusal", async () => {
    stage.nodes[1]!.stream = (call) => call.emit("error", { code: status.UNIMPLEMENTED, details: "not yet" });
    const call = stage.stream();
    call.write(requestOf({ modelName: "digits" }));
    expect((await collected(call)).fault).to.include({ code: status.UNIMPLEMENTED, message: "not yet" });
  });

  it("cancels the stream at the node when the caller cancels", async () => {
    const call = stage.stream();
    call.write(requestOf({ modelName: "digits" }));
    await new Promise((resolve) => call.once("data", resolve));
    const cancelled = new Promise((resolve) => stage.opened.at(-1)!.call.once("cancelled", resolve));
    call.on("error", () => undefined);
    call.cancel();
    await cancelled;
  });

  it("says UNAVAILABLE when the node is lost, and does not try elsewhere", async () => {
    const call = stage.stream();
    call.write(requestOf({ modelName: "digits" }));
    await new Promise((resolve) => call.once("data", resolve));
    const outcome = collected(call);
    await stage.nodes[1]!.stop();
    expect((await outcome).fault).to.include({ code: status.UNAVAILABLE, reason: "SERVICE_UNAVAILABLE" });
  });

  for (const when of ["that has begun", "that has sent nothing yet"] as const) {
    it(`ends a stream ${when} with UNAVAILABLE when it drains`, async () => {
      const call = stage.stream();
      if (when === "that has begun") {
        call.write(requestOf({ modelName: "digits" }));
        await new Promise((resolve) => call.once("data", resolve));
      } else {
        call.on("error", () => undefined);
        await stage.gateway.infer("ServerLive", {});
      }
      const outcome = collected(call);
      await stage.gateway.stop();
      expect((await outcome).fault).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
    });
  }

  it("waits in a drain for the answers to what it has taken, and says how many requests that were", async () => {
    const held: (() => void)[] = [];
    stage.nodes[1]!.stream = (call) => {
      call.on("data", (message) => held.push(() => call.write(message)));
      call.on("end", () => held.push(() => call.end()));
    };
    const call = stage.stream();
    const outcome = collected(call);
    for (const id of ["a", "b", "c"]) call.write(requestOf({ modelName: "digits", id }));
    await eventually(() => expect(held).to.have.length(3));
    const stopped = stage.gateway.stop();
    // The node hears that nothing more comes.
    await eventually(() => expect(held).to.have.length(4));
    for (const answer of held) answer();
    const { messages, fault } = await outcome;
    expect(messages).to.have.length(3);
    expect(fault).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
    expect(fault!.metadata).to.deep.equal({ answeredRequests: "3" });
    await stopped;
  });

  it("answers calls at once beside very many streams that nobody reads", async () => {
    const answer = Buffer.alloc(512 * 1024);
    let sent = 0;
    for (const node of stage.nodes) {
      node.stream = (call) => {
        call.on("data", () => {
          for (let count = 0; count < 8; count++) call.write(answer, () => sent++);
        });
      };
    }
    const slow = Array.from({ length: 100 }, () => stage.stream());
    for (const call of slow) {
      call.on("error", () => undefined).pause();
      call.write(requestOf({ modelName: "digits" }));
    }
    await still(() => sent);
    const reader = new RawClient(stage.gateway.address);
    try {
      stage.nodes[1]!.handle = (_, reply) => reply(null, Buffer.alloc(8 * 1024 ** 2));
      const request = requestOf({ modelName: "digits" });
      const { message } = await reader.unary(inferPath, request, { deadlineMs: Date.now() + 5000 });
      expect(message).to.have.length(8 * 1024 ** 2);
    } finally {
      reader.close();
      for (const call of slow) call.cancel();
    }
  });

  it("holds little of what a slow reader has not read", async () => {
    const bytes = 100_000;
    let written = 0;
    stage.nodes[1]!.stream = (call) => {
      const writeOn = () => {
        while (written < 1000 && call.write(Buffer.alloc(bytes, written++ % 251)));
        if (written === 1000) call.end();
      };
      call.on("drain", writeOn);
      call.once("data", writeOn);
    };
    const call = stage.stream();
    call.write(requestOf({ modelName: "digits" }));
    await new Promise((resolve) => call.once("readable", resolve));
    await still(() => written);
    // The flow-control windows between node, gateway and client, and 16 messages at each end.
    expect(written * bytes).to.be.below(6 * 1024 ** 2);
    const { messages } = await collected(call);
    expect(messages.map((message) => message[0])).to.deep.equal(Array.from({ length: 1000 }, (_, i) => i % 251));
  });

  /** Settles once a number has been the same for a fifth of a second. */
  async function still(number: () => number): Promise<void> {
    for (let same = 0, before = -1; same < 20; before = number()) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      same = number() === before ? same + 1 : 0;
    }
  }
});
