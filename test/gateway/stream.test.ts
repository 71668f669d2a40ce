import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { expect } from "chai";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { FakeNode, type NodeStream } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, Harness, routeOf } from "./harness.ts";

const path = "/inference.GRPCInferenceService/ModelStreamInfer";
const requestOf = (fields: object) => encodeMessage("inference", "inference.ModelInferRequest", fields);

describe("the gateway, for inference streams,", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let nodes: FakeNode[];
  let registry: FakeRegistry;
  let gateway: Harness;
  let last: NodeStream;

  beforeEach(async () => {
    folder = await emptyFolder();
    nodes = await Promise.all([new FakeNode().start(), new FakeNode().start()]);
    for (const node of nodes) {
      node.stream = (call) => {
        last = call;
        call.on("data", (message) => call.write(message));
        call.on("end", () => {
          const trailers = new Metadata();
          trailers.set("last", "word");
          call.end(trailers);
        });
      };
    }
    const [first, second] = nodes.map(({ address }) => address) as [string, string];
    registry = await new FakeRegistry([routeOf("digits", { 1: [first], 2: [second] }, { default: 2 })]).start();
    gateway = await Harness.start({ AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registry.address });
    await gateway.routed("digits");
  });

  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry, ...nodes].map((fake) => fake.stop()));
    await folder.remove();
  });

  /** Every message that comes back, the metadata, the trailers, and the fault if there is one. */
  const collected = async (call: ReturnType<Harness["client"]["duplex"]>) => {
    let metadata = new Metadata();
    let trailers = new Metadata();
    call.on("metadata", (received) => {
      metadata = received;
    });
    const ended = new Promise<void>((resolve) => {
      call.on("status", (received) => {
        trailers = received.metadata;
        resolve();
      });
    });
    const messages: Buffer[] = [];
    let failure: ServiceError | undefined;
    try {
      for await (const message of call) messages.push(message as Buffer);
    } catch (thrown) {
      failure = thrown as ServiceError;
    }
    await ended;
    return { messages, metadata, trailers, fault: failure && remoteFaultOf(failure) };
  };

  it("sends all messages where the first one belongs, in order, and all answers back", async () => {
    const call = gateway.client.duplex(path);
    const sent = Array.from({ length: 300 }, (_, i) =>
      requestOf({ modelName: "digits", modelVersion: "1", id: `${i}` }),
    );
    for (const message of sent) call.write(message);
    call.end();
    const { messages, metadata, trailers, fault } = await collected(call);
    expect(fault).to.equal(undefined);
    expect(Buffer.concat(messages).equals(Buffer.concat(sent))).to.equal(true);
    expect(metadata.get("amaas-version")).to.deep.equal(["1"]);
    expect(metadata.get("amaas-node")).to.deep.equal([nodes[0]!.address]);
    expect(trailers.get("last")).to.deep.equal(["word"]);
    expect(last.metadata.get("amaas-version")).to.deep.equal(["1"]);
  });

  it("answers before the caller has sent everything", async () => {
    const call = gateway.client.duplex(path);
    for (let i = 0; i < 5; i++) {
      const answered = new Promise((resolve) => call.once("data", resolve));
      const message = requestOf({ modelName: "digits", id: `${i}` });
      call.write(message);
      expect(await answered).to.deep.equal(message);
    }
    call.end();
    expect((await collected(call)).fault).to.equal(undefined);
  });

  for (const [what, message, code] of [
    ["an unknown model", requestOf({ modelName: "nothing" }), status.NOT_FOUND],
    ["malformed bytes", Buffer.from([0x0a, 9]), status.INVALID_ARGUMENT],
  ] as const) {
    it(`refuses a stream that begins with ${what}`, async () => {
      const call = gateway.client.duplex(path);
      call.write(message);
      expect((await collected(call)).fault?.code).to.equal(code);
    });
  }

  it("ends an empty stream without asking anybody", async () => {
    const call = gateway.client.duplex(path);
    call.end();
    expect(await collected(call)).to.deep.include({ messages: [], fault: undefined });
  });

  it("relays a node's refusal", async () => {
    nodes[1]!.stream = (call) => call.emit("error", { code: status.UNIMPLEMENTED, details: "not yet" });
    const call = gateway.client.duplex(path);
    call.write(requestOf({ modelName: "digits" }));
    expect((await collected(call)).fault).to.include({ code: status.UNIMPLEMENTED, message: "not yet" });
  });

  it("cancels the stream at the node when the caller cancels", async () => {
    const call = gateway.client.duplex(path);
    call.write(requestOf({ modelName: "digits" }));
    await new Promise((resolve) => call.once("data", resolve));
    const cancelled = new Promise((resolve) => last.once("cancelled", resolve));
    call.on("error", () => undefined);
    call.cancel();
    await cancelled;
  });

  it("says UNAVAILABLE when the node is lost, and does not try elsewhere", async () => {
    const call = gateway.client.duplex(path);
    call.write(requestOf({ modelName: "digits" }));
    await new Promise((resolve) => call.once("data", resolve));
    const outcome = collected(call);
    await nodes[1]!.stop();
    expect((await outcome).fault).to.include({ code: status.UNAVAILABLE, reason: "SERVICE_UNAVAILABLE" });
  });

  for (const when of ["that has begun", "that has sent nothing yet"] as const) {
    it(`ends a stream ${when} with UNAVAILABLE when it drains`, async () => {
      const call = gateway.client.duplex(path);
      if (when === "that has begun") {
        call.write(requestOf({ modelName: "digits" }));
        await new Promise((resolve) => call.once("data", resolve));
      } else {
        call.on("error", () => undefined);
        await gateway.infer("ServerLive", {});
      }
      const outcome = collected(call);
      await gateway.stop();
      expect((await outcome).fault).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
    });
  }

  it("holds little of what a slow reader has not read", async () => {
    const bytes = 100_000;
    let written = 0;
    nodes[1]!.stream = (call) => {
      const writeOn = () => {
        while (written < 1000 && call.write(Buffer.alloc(bytes, written++ % 251)));
        if (written === 1000) call.end();
      };
      call.on("drain", writeOn);
      call.once("data", writeOn);
    };
    const call = gateway.client.duplex(path);
    call.write(requestOf({ modelName: "digits" }));
    await new Promise((resolve) => call.once("readable", resolve));
    for (let same = 0, before = -1; same < 20; before = written) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      same = written === before ? same + 1 : 0;
    }
    // The flow-control windows between node, gateway and client, and 16 messages at each end.
    expect(written * bytes).to.be.below(24 * 1024 ** 2);
    const { messages } = await collected(call);
    expect(messages.map((message) => message[0])).to.deep.equal(Array.from({ length: 1000 }, (_, i) => i % 251));
  });
});
