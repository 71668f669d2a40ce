import { once } from "node:events";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { statusOf } from "../../lib/rpc/status.ts";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, Harness, routeOf } from "./harness.ts";

describe("a gateway with several replicas", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let nodes: FakeNode[];
  let registry: FakeRegistry;
  let gateway: Harness;

  beforeEach(async () => {
    folder = await emptyFolder();
    nodes = await Promise.all([1, 2, 3].map(() => new FakeNode().start()));
    const versions = { 1: nodes.map(({ address }) => address) };
    registry = await new FakeRegistry([routeOf("digits", versions, { default: 1 })]).start();
    for (const [index, { address }] of nodes.entries()) {
      registry.tell({ address, zone: index === 0 ? "near" : "far", capacity: 4 });
    }
  });
  const start = async (settings: Readonly<Record<string, string>> = {}) => {
    gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: registry.address,
      ...settings,
    });
    await gateway.routed("digits");
    for (const node of nodes) node.calls.splice(0);
  };
  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry, ...nodes].map((fake) => fake.stop()));
    await folder.remove();
  });
  const infer = () => gateway.infer("ModelInfer", { modelName: "digits" });
  const counts = () => nodes.map(({ calls }) => calls.length);

  it("stops asking one that fails, and nobody notices", async () => {
    await start();
    nodes[1]!.handle = (_, reply) => reply(statusOf(new ServiceError("WORKER_LOST", "it died")));
    for (let count = 0; count < 200; count++) await infer();
    const [first, failing, third] = counts();
    expect(failing).to.be.within(1, 5);
    expect(first! + third!).to.equal(200);
  });

  it("asks those of its own zone, and others where they have enough to do", async () => {
    await start({ AMAAS_ZONE: "near" });
    for (let count = 0; count < 20; count++) await infer();
    expect(counts()).to.deep.equal([20, 0, 0]);
    const waiting: (() => void)[] = [];
    nodes[0]!.handle = (call, reply) => waiting.push(() => reply(null, call.request));
    const calls = Array.from({ length: 12 }, infer);
    while (counts().reduce((sum, count) => sum + count, 0) < 32) await new Promise(setImmediate);
    for (const answer of waiting) answer();
    await Promise.all(calls);
    expect(counts()[0]).to.be.within(24, 30);
  });

  it("counts a stream as a call under way, for calls and for streams, until it ends", async () => {
    const opened = nodes.map(() => 0);
    for (const [index, node] of nodes.entries()) {
      node.stream = (call) => {
        opened[index]!++;
        call.on("data", (message) => call.write(message)).on("end", () => call.end());
      };
    }
    const lead = (replicas: readonly FakeNode[]) =>
      registry.change(routeOf("digits", { 1: replicas.map(({ address }) => address) }, { default: 1 }));
    const streams: ReturnType<Harness["client"]["duplex"]>[] = [];
    const open = async () => {
      const stream = gateway.client.duplex("/inference.GRPCInferenceService/ModelStreamInfer");
      streams.push(stream);
      stream.write(encodeMessage("inference", "inference.ModelInferRequest", { modelName: "digits" }));
      await once(stream, "data");
    };
    const callUntil = (asked: readonly FakeNode[]) =>
      eventually(async () => {
        await infer();
        expect(asked.every(({ calls }) => calls.length > 0)).to.equal(true);
      });
    await start({ AMAAS_GATEWAY_SLOW_START_MS: "0" });
    lead(nodes.slice(0, 1));
    await eventually(async () => {
      for (let count = 0; count < 5; count++) {
        expect((await infer()).metadata.get("amaas-node")).to.deep.equal([nodes[0]!.address]);
      }
    });
    for (let count = 0; count < 3; count++) await open();
    lead(nodes);
    await callUntil(nodes.slice(1));
    for (const node of nodes) node.calls.splice(0);
    for (let count = 0; count < 30; count++) await infer();
    expect(counts()[0]).to.equal(0);
    for (let count = 0; count < 3; count++) await open();
    expect(opened[0]).to.equal(3);
    const ended = streams.map((stream) => once(stream, "end"));
    for (const stream of streams) stream.end();
    await Promise.all(ended);
    await callUntil(nodes.slice(0, 1));
  });
});
