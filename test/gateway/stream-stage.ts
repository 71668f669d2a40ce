import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { FakeNode, type NodeStream } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, Harness, routeOf } from "./harness.ts";

const streamPath = "/inference.GRPCInferenceService/ModelStreamInfer";
export const requestOf = (fields: object) => encodeMessage("inference", "inference.ModelInferRequest", fields);

type Folder = Awaited<ReturnType<typeof emptyFolder>>;

/** A stream at a node. */
interface OpenedStream {
  readonly node: FakeNode;
  readonly call: NodeStream;
  /** Whether its last request is there. */
  isEnded: boolean;
}

/**
 * A gateway and two nodes that send back what streams send them. Of the model digits the first has version 1 and the second version 2,
 * the default; letters and words are on the first.
 */
export class StreamStage {
  readonly opened: OpenedStream[] = [];
  readonly nodes: readonly FakeNode[];
  readonly registry: FakeRegistry;
  readonly gateway: Harness;
  readonly #folder: Folder;

  private constructor(parts: Pick<StreamStage, "nodes" | "registry" | "gateway">, folder: Folder) {
    this.nodes = parts.nodes;
    this.registry = parts.registry;
    this.gateway = parts.gateway;
    this.#folder = folder;
    for (const node of this.nodes) node.stream = (call) => this.#echo(node, call);
  }

  static async start(): Promise<StreamStage> {
    const folder = await emptyFolder();
    const nodes = await Promise.all([new FakeNode().start(), new FakeNode().start()]);
    const [first, second] = nodes.map(({ address }) => address) as [string, string];
    const registry = await new FakeRegistry([
      routeOf("digits", { 1: [first], 2: [second] }, { default: 2 }),
      routeOf("letters", { 1: [first] }, {}),
      routeOf("words", { 1: [first] }, {}),
    ]).start();
    const gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: registry.address,
      AMAAS_GATEWAY_STREAM_LANES_MAX: "3",
    });
    await gateway.routed("digits");
    return new StreamStage({ nodes, registry, gateway }, folder);
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    await Promise.all([this.registry, ...this.nodes].map((fake) => fake.stop()));
    await this.#folder.remove();
  }

  /** A stream of a caller. */
  stream(metadata: Readonly<Record<string, string>> = {}) {
    return this.gateway.client.duplex(streamPath, metadata);
  }

  #echo(node: FakeNode, call: NodeStream): void {
    const entry = { node, call, isEnded: false };
    this.opened.push(entry);
    call.on("data", (message) => call.write(message));
    call.on("end", () => {
      entry.isEnded = true;
      const trailers = new Metadata();
      trailers.set("last", "word");
      call.end(trailers);
    });
  }
}

/** Every message that comes back, the metadata, the trailers, and the fault if there is one. */
export async function collected(call: ReturnType<StreamStage["stream"]>) {
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
}
