import { once } from "node:events";
import { connect, type OutgoingHttpHeaders } from "node:http2";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { framed } from "../../lib/rpc/framing.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { scrape } from "../metrics/scrape.ts";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, Harness, inferPath, routeOf } from "./harness.ts";

const many = (count: number, size = 1) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, "a".repeat(size)]));

describe("headers of a caller that a node would not take", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: FakeNode;
  let registry: FakeRegistry;
  let gateway: Harness;

  before(async () => {
    folder = await emptyFolder();
    node = await new FakeNode().start();
    registry = await new FakeRegistry([routeOf("digits", { 1: [node.address] }, { default: 1 })]).start();
    gateway = await Harness.start({ AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registry.address });
    await gateway.routed("digits");
  });

  after(async () => {
    await gateway.stop();
    await Promise.all([registry.stop(), node.stop()]);
    await folder.remove();
  });

  const infer = async (headers: OutgoingHttpHeaders): Promise<number> => {
    const session = connect(`http://${gateway.address}`);
    const own = { ":method": "POST", ":path": inferPath, "content-type": "application/grpc", te: "trailers" };
    const stream = session.request({ ...headers, ...own });
    let said: unknown;
    stream.on("response", (first) => {
      said = first["grpc-status"];
    });
    stream.on("trailers", (last) => {
      said = last["grpc-status"];
    });
    stream.end(framed(encodeMessage("inference", "inference.ModelInferRequest", { modelName: "digits" })));
    stream.resume();
    await once(stream, "close");
    session.close();
    return Number(said);
  };
  const failed = async () =>
    [...(await scrape(gateway.metricsPort))].filter(
      ([name]) => name.startsWith("amaas_gateway_attempts_total") && name.includes("failed"),
    );

  it("are refused where they are too many or too long, and no node is blamed", async () => {
    for (const headers of [many(112), many(4, 13_000)]) expect(await infer(headers)).to.equal(status.INVALID_ARGUMENT);
    const { status: said } = await fetch(`${gateway.httpUrl}/v2/models/digits`, { headers: many(150) });
    expect(said).to.equal(400);
    for (const headers of [many(100), many(3, 12_000)]) expect(await infer(headers)).to.equal(status.OK);
    expect(await failed()).to.deep.equal([]);
  });

  it("stay here where they are about the caller's connection", async () => {
    const { status: said } = await fetch(`${gateway.httpUrl}/v2/models/digits`, {
      headers: { "http2-settings": "AAMAAABk" },
    });
    expect(said).to.equal(200);
    expect(node.calls.at(-1)!.metadata.getMap()).to.not.have.property("http2-settings");
    expect(await failed()).to.deep.equal([]);
  });
});
