import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { expect } from "chai";
import { framed } from "../../lib/rpc/framing.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { scrape } from "../metrics/scrape.ts";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, Harness, inferPath, routeOf } from "./harness.ts";

const streamPath = "/inference.GRPCInferenceService/ModelStreamInfer";
const bytesMax = 1024 ** 2;

/** Answers of so many bytes to calls of a path, and the window of each; undefined is that of HTTP/2 itself. */
interface AnswersWanted {
  readonly answerBytes: number;
  readonly path: string;
  readonly windowBytes?: number;
}

describe("answers that their callers do not take", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: FakeNode;
  let registry: FakeRegistry;
  let gateway: Harness;
  const sessions = new Set<ClientHttp2Session>();

  before(async () => {
    folder = await emptyFolder();
    node = await new FakeNode().start();
    node.handle = ({ metadata }, reply) => reply(null, Buffer.alloc(Number(metadata.get("size")[0] ?? 1)));
    node.stream = (call) => {
      call.on("data", () => void call.write(Buffer.alloc(Number(call.metadata.get("size")[0]))));
    };
    registry = await new FakeRegistry([routeOf("digits", { 1: [node.address] }, { default: 1 })]).start();
    gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: registry.address,
      AMAAS_MESSAGE_BYTES_MAX: String(bytesMax),
      AMAAS_GATEWAY_ANSWER_BYTES_MAX: String(bytesMax),
    });
    await gateway.routed("digits");
  });

  afterEach(async () => {
    for (const session of sessions) session.destroy();
    sessions.clear();
    await eventually(async () => expect(await heldBytes()).to.equal(0));
  });

  after(async () => {
    await gateway.stop();
    await Promise.all([registry.stop(), node.stop()]);
    await folder.remove();
  });

  const metric = async (name: string) => (await scrape(gateway.metricsPort)).get(name) ?? Number.NaN;
  const heldBytes = () => metric("amaas_gateway_answer_bytes");
  const message = framed(encodeMessage("inference", "inference.ModelInferRequest", { modelName: "digits" }));

  /** Makes calls of one connection, each of which is answered with so many bytes. */
  const callsOf = ({ answerBytes, path, windowBytes }: AnswersWanted) => {
    const settings = windowBytes === undefined ? {} : { initialWindowSize: windowBytes };
    const session = connect(`http://${gateway.address}`, { settings }).on("error", () => undefined);
    sessions.add(session);
    return (): ClientHttp2Stream => {
      const head = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
      const stream = session.request({ ...head, size: String(answerBytes) }, { endStream: false });
      stream.on("error", () => undefined).write(message);
      if (path === inferPath) stream.end();
      return stream;
    };
  };

  /** The bytes and the status of an answer of which a few kilobytes are read now and then. */
  const readSlowly = async (stream: ClientHttp2Stream) => {
    let bytes = 0;
    let code: unknown;
    stream.on("trailers", (headers) => {
      code = headers["grpc-status"];
    });
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      stream.pause();
      setTimeout(() => stream.resume(), 2);
    });
    await new Promise((resolve) => stream.once("close", resolve));
    return [bytes, code];
  };

  for (const [what, path, count, answerBytes] of [
    ["large ones", inferPath, 40, 200_000],
    ["small ones", inferPath, 500, 4000],
    ["of streams", streamPath, 40, 200_000],
  ] as const) {
    it(`have a bound, ${what}: the oldest of who takes none are given up, and others are served`, async () => {
      const slow = readSlowly(callsOf({ answerBytes: 500_000, path: inferPath })());
      const streams: ClientHttp2Stream[] = [];
      const unread = callsOf({ answerBytes, path, windowBytes: 0 });
      for (let index = 0; index < count; index++) {
        streams.push(unread());
        if (answerBytes > 10_000) await once(streams.at(-1)!, "response");
      }
      const isAbandoned = ({ rstCode }: ClientHttp2Stream) => rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM;
      const mostHeld = Math.ceil(bytesMax / answerBytes);
      const ended = () => streams.filter(isAbandoned).length;
      await eventually(() => expect(ended()).to.be.at.least(count - mostHeld - 1));
      await eventually(async () => expect(await heldBytes()).to.be.at.most(bytesMax));
      expect(await slow).to.deep.equal([500_005, "0"]);
      expect((await gateway.infer("ModelInfer", { modelName: "digits" })).message).to.have.length(1);
      expect(await metric("amaas_gateway_abandoned_answers_total")).to.be.at.least(ended());
      // Who was given up first is who came first.
      const kept = streams.map(isAbandoned);
      expect(kept.slice(0, count - mostHeld - 1)).to.not.include(false);
    });
  }
});
