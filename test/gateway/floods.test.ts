import { expect } from "chai";
import { errorCode } from "../../lib/http2/faults.ts";
import { frame, frameFlag, frameType } from "../../lib/http2/frames.ts";
import { framed } from "../../lib/rpc/framing.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { RawCaller, resetOf, widened } from "../http2/raw-caller.ts";
import { data, ping, settingsOf } from "../http2/raw-peer.ts";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, Harness, inferPath, routeOf } from "./harness.ts";

const headers = { ":path": inferPath, "content-type": "application/grpc", te: "trailers" };
const message = framed(encodeMessage("inference", "inference.ModelInferRequest", { modelName: "digits" }));

describe("a gateway that is flooded with frames goes on serving others", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: FakeNode;
  let registry: FakeRegistry;
  let gateway: Harness;
  let caller: RawCaller;
  let isOver: boolean;

  before(async () => {
    folder = await emptyFolder();
    node = await new FakeNode().start();
    registry = await new FakeRegistry([routeOf("digits", { 1: [node.address] }, { default: 1 })]).start();
    gateway = await Harness.start({ AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registry.address });
    await gateway.routed("digits");
  });

  beforeEach(() => {
    caller = new RawCaller(Number(gateway.address.split(":")[1]));
    caller.greet();
    isOver = false;
  });

  afterEach(async () => {
    isOver = true;
    caller.socket.destroy();
    await served();
  });

  after(async () => {
    await gateway.stop();
    await Promise.all([registry.stop(), node.stop()]);
    await folder.remove();
  });

  /** One call of somebody else. */
  const served = () => gateway.infer("ModelInfer", { modelName: "digits" }, { deadlineMs: Date.now() + 5000 });

  /** Sends the same again and again, as fast as it is taken, until the test is over or the connection. */
  const flood = async (...frames: readonly Uint8Array[]): Promise<void> => {
    const some = Buffer.concat(Array.from({ length: 1000 }, () => Buffer.concat(frames)));
    while (!isOver && !caller.socket.destroyed) {
      await new Promise((resolve) => caller.socket.write(some, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  for (const [what, frames] of [
    ["data of nothing", () => [data(1, Buffer.alloc(0))]],
    ["windows that grow by little", () => [widened(1, 1), widened(0, 1)]],
    ["windows of calls that are over", () => [widened(3, 1)]],
    ["data for a call that is over", () => [data(3, Buffer.of(1))]],
    ["questions for a sign of life", () => [ping()]],
    ["settings", () => [settingsOf([4, 1000])]],
    ["frames of a type that nobody knows", () => [frame(0x42, 0, 1, Buffer.alloc(100))]],
    ["what calls depend on", () => [frame(0x2, 0, 1, Buffer.of(0, 0, 0, 0, 1))]],
  ] as const) {
    it(`by ${what}`, async () => {
      caller.send(caller.call(1, 0, headers), caller.call(3, 0, headers), resetOf(3));
      const flooded = flood(...frames());
      for (let count = 0; count < 5; count++) await served();
      isOver = true;
      await flooded;
    });
  }

  for (const [what, frames, isReset] of [
    ["the window of a call", [widened(1, 0)], true],
    ["the window of a connection", [widened(0, 0)], false],
  ] as const) {
    it(`and ends what was to go on where ${what} grows by nothing`, async () => {
      caller.send(caller.call(1, 0, headers), ...frames);
      expect(await (isReset ? caller.resetOf(1) : caller.faultCode())).to.equal(errorCode.protocol);
    });
  }

  for (const [what, one] of [
    ["questions for a sign of life", ping()],
    ["settings", settingsOf([4, 1000])],
  ] as const) {
    it(`by ${what} whose answers nobody reads, and gives that connection up`, async () => {
      caller.socket.pause();
      const flooded = flood(one);
      await served();
      await flooded;
      expect(caller.socket.destroyed).to.equal(true);
    });
  }

  it("by calls whose answers nobody reads for long, and has all of them for whoever reads at last", async () => {
    const answer = Buffer.alloc(100_000);
    node.handle = (_, reply) => reply(null, answer);
    const before = node.calls.length;
    caller.socket.pause();
    caller.send(widened(0, 2 ** 31 - 2 ** 16), settingsOf([4, 2 ** 31 - 1]));
    for (let id = 1; id < 1000; id += 2) {
      caller.send(caller.call(id, 0, headers), data(id, message, frameFlag.endStream));
    }
    await eventually(() => expect(node.calls.length).to.be.above(before + 10));
    for (let count = 0; count < 5; count++) await served();
    caller.socket.resume();
    const isEnd = ({ type, flags }: { readonly type: number; readonly flags: number }) =>
      type === frameType.headers && (flags & frameFlag.endStream) !== 0;
    await eventually(() => expect(caller.frames.filter(isEnd)).to.have.length(500));
  });

  it("by more calls than a connection may have, and refuses those above", async () => {
    const waiting = { ...headers, "grpc-timeout": "60S" };
    for (let id = 1; id < 20_100; id += 2) caller.send(caller.call(id, 0, waiting));
    expect(await caller.resetOf(20_099)).to.equal(errorCode.refusedStream);
    await served();
  });
});
