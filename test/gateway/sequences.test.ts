import { expect } from "chai";
import type { ModelInferResponse__Output as Response } from "../../lib/gen/inference/ModelInferResponse.ts";
import { decodeMessage } from "../../lib/rpc/protos.ts";
import { FakeRegistry as NodeRegistry } from "../inference/fake-registry.ts";
import { type RunningNode, startNode } from "../inference/running-node.ts";
import { accumulating, accumulatorModel } from "../inference/stateful-models.ts";
import { bytesOf, floatsOf } from "../inference/wire.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, faultOf, Harness, routeOf } from "./harness.ts";

describe("sequences through the gateway to nodes", function () {
  this.timeout(60_000);
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let assigner: NodeRegistry;
  let nodes: RunningNode[];
  let registry: FakeRegistry;
  let gateway: Harness;

  const joined = async () => {
    const nodeName = `node-${nodes.length}`;
    const node = await startNode(`${folder.path}/${nodeName}`, assigner.address, { nodeName });
    nodes.push(node);
    await assigner.reported(
      ({ name, replicas }) =>
        name === `nodes/${nodeName}` && replicas.length === 2 && replicas.every(({ state }) => state === "STATE_READY"),
    );
    return node.address;
  };
  const route = (addresses: string[]) => routeOf("sums", { 1: addresses, 2: addresses }, { default: { 1: 1, 2: 1 } });

  beforeEach(async () => {
    folder = await emptyFolder();
    nodes = [];
    assigner = new NodeRegistry();
    await assigner.start();
    const model = assigner.store(accumulatorModel());
    const version = { model: "sums", ...model, settings: accumulating, aliases: [] };
    assigner.assign({ ...version, version: 1 }, { ...version, version: 2 });
    registry = await new FakeRegistry([route([await joined(), await joined()])]).start();
    gateway = await Harness.start({ AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registry.address });
    await gateway.routed("sums");
  });

  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry, assigner, ...nodes].map((part) => part.stop()));
    await folder.remove();
  });

  type Step = { readonly start?: boolean; readonly end?: boolean };
  const send = (id: number, value: number, { start = false, end = false }: Step = {}) =>
    gateway.infer("ModelInfer", {
      modelName: "sums",
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }],
      rawInputContents: [bytesOf(Float32Array.of(value, 0))],
      parameters: {
        sequence_id: { uint64Param: id },
        sequence_start: { boolParam: start },
        sequence_end: { boolParam: end },
      },
    });
  const sum = async (...step: Parameters<typeof send>) => {
    const { message, metadata } = await send(...step);
    const { rawOutputContents, modelVersion } = decodeMessage<Response>(
      "inference",
      "inference.ModelInferResponse",
      message,
    );
    return { sum: floatsOf(rawOutputContents[0]!)[0], place: `${modelVersion}@${metadata.get("amaas-node")}` };
  };
  const ids = Array.from({ length: 40 }, (_, index) => index + 1);

  it("stay on their node and their version, also when another node joins", async () => {
    const first = await Promise.all(ids.map((id) => sum(id, id, { start: true })));
    expect(new Set(first.map(({ place }) => place)).size).to.equal(4);
    const addresses = [...nodes.map(({ address }) => address), await joined()];
    registry.change(route(addresses));
    await eventually(async () => {
      const { place } = await sum(Math.floor(Math.random() * 1e9) + 100, 1, { start: true, end: true });
      expect(place).to.contain(addresses[2]);
    });
    const rest = await Promise.all(
      ids.map(async (id) => [await sum(id, 1000), await sum(id, 1000), await sum(id, 1000, { end: true })]),
    );
    for (const [index, replies] of rest.entries()) {
      expect(replies.map((reply) => reply.sum)).to.deep.equal([1, 2, 3].map((count) => index + 1 + 1000 * count));
      expect(new Set(replies.map(({ place }) => place))).to.deep.equal(new Set([first[index]!.place]));
    }
  });

  it("begin anew on another node where theirs has gone", async () => {
    const first = await Promise.all(ids.map((id) => sum(id, 1, { start: true })));
    const [gone, left] = nodes.map(({ address }) => address) as [string, string];
    await nodes[0]!.stop();
    const lost = ids.filter((_, index) => first[index]!.place.endsWith(gone));
    expect(lost.length).to.be.within(1, 39);
    for (const id of lost) {
      const fault = await eventually(async () => {
        const seen = await faultOf(send(id, 1));
        expect(seen.reason).to.equal("SEQUENCE_UNKNOWN");
        return seen;
      });
      expect(fault.message).to.contain("must specify the START flag on the first request of the sequence");
    }
    for (const id of ids) {
      const isLost = lost.includes(id);
      const reply = await sum(id, 5, { start: isLost });
      expect(reply.sum).to.equal(isLost ? 5 : 6);
      expect(reply.place).to.contain(left);
    }
  });
});
