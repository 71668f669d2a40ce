import { once } from "node:events";
import { connect } from "node:http2";
import { gzipSync } from "node:zlib";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { framed } from "../../lib/rpc/framing.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { scrape } from "../metrics/scrape.ts";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, faultOf, Harness, routeOf } from "./harness.ts";

describe("a gateway with too much to do", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: FakeNode;
  let registry: FakeRegistry;
  let gateway: Harness;

  const start = async (settings: Readonly<Record<string, string>>) => {
    folder = await emptyFolder();
    node = await new FakeNode().start();
    registry = await new FakeRegistry([
      routeOf("digits", { 1: [node.address] }, { default: 1 }),
      routeOf("letters", { 1: [node.address] }, { default: 1 }),
    ]).start();
    const files = { AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registry.address };
    gateway = await Harness.start({ ...files, ...settings });
    await gateway.routed("digits");
    node.calls.splice(0);
  };
  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry, node].map((fake) => fake.stop()));
    await folder.remove();
  });

  it("refuses what would only wait, and neither other models nor other calls", async () => {
    await start({});
    // It has to have seen how long a call takes.
    for (let count = 0; count < 30; count++) await gateway.infer("ModelInfer", { modelName: "digits" });
    const waiting: (() => void)[] = [];
    node.handle = (call, reply) => waiting.push(() => reply(null, call.request));
    const timer = setInterval(() => waiting.shift()?.(), 2);
    try {
      const faults: ReturnType<typeof remoteFaultOf>[] = [];
      let isOver = false;
      const callers = Array.from({ length: 200 }, async () => {
        while (!isOver) {
          await gateway.infer("ModelInfer", { modelName: "digits" }).catch((failure: unknown) => {
            faults.push(remoteFaultOf(failure));
            isOver = true;
          });
        }
      });
      await Promise.all(callers);
      const [{ code, reason, metadata }] = faults as [(typeof faults)[0]];
      expect([code, reason]).to.deep.equal([status.RESOURCE_EXHAUSTED, "QUEUE_FULL"]);
      expect(metadata).to.include({ model: "digits", version: "1" });
      expect(Number(metadata.concurrencyMax)).to.be.below(200);
      await gateway.infer("ModelInfer", { modelName: "letters" });
      await gateway.infer("ModelMetadata", { name: "digits" });
    } finally {
      clearInterval(timer);
    }
  });

  it("refuses requests that it has no room for while others are held, and says the limit", async () => {
    await start({ AMAAS_MESSAGE_BYTES_MAX: "4096", AMAAS_GATEWAY_REQUEST_BYTES_MAX: "8192" });
    const waiting: (() => void)[] = [];
    node.handle = (call, reply) => waiting.push(() => reply(null, call.request));
    const infer = (bytes: number) =>
      gateway.infer("ModelInfer", { modelName: "digits", rawInputContents: [Buffer.alloc(bytes)] });
    const held = [infer(3900), infer(3900)];
    while (node.calls.length < 2) await new Promise(setImmediate);
    const fault = await faultOf(infer(1000));
    expect(fault.code).to.equal(status.RESOURCE_EXHAUSTED);
    expect(fault.message).to.match(/already holds \d+ bytes of requests.*limit of 8192/);
    expect(fault.metadata).to.deep.equal({ limit: "request_bytes", requestBytesMax: "8192" });
    for (const answer of waiting) answer();
    await Promise.all(held);
    node.handle = (call, reply) => reply(null, call.request);
    await infer(3900);
  });

  it("refuses the messages of a stream that it has no room for, whole or not, and compressed ones", async () => {
    await start({ AMAAS_MESSAGE_BYTES_MAX: "100000", AMAAS_GATEWAY_REQUEST_BYTES_MAX: "100000" });
    const sessions = [connect(`http://${gateway.address}`), connect(`http://${gateway.address}`)] as const;
    const headers = {
      ":method": "POST",
      ":path": "/inference.GRPCInferenceService/ModelStreamInfer",
      "content-type": "application/grpc",
      "grpc-encoding": "gzip",
      te: "trailers",
    };
    const begun = Buffer.alloc(60_000);
    begun.writeUInt32BE(80_000, 1);
    const slow = sessions[0].request(headers);
    slow.write(begun);
    const held = async () => (await scrape(gateway.metricsPort)).get("amaas_gateway_request_bytes");
    // What has not come yet has its room.
    await eventually(async () => expect(await held()).to.equal(80_000 + 5));
    const packed = framed(gzipSync(Buffer.alloc(90_000)));
    packed[0] = 1;
    for (const message of [begun, packed]) {
      const stream = sessions[1].request(headers);
      stream.write(message);
      const [{ "grpc-status": code }] = (await once(stream, "response")) as [Record<string, string>];
      expect(Number(code)).to.equal(status.RESOURCE_EXHAUSTED);
      stream.close();
    }
    slow.close();
    await eventually(async () => expect(await held()).to.equal(0));
    for (const session of sessions) session.close();
  });
});
