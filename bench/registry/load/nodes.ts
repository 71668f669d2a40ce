import type { ConnectNodeRequest } from "../../../lib/gen/amaas/registry/v1/ConnectNodeRequest.ts";
import type { ConnectNodeResponse__Output } from "../../../lib/gen/amaas/registry/v1/ConnectNodeResponse.ts";
import type { ControlServiceDefinition } from "../../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { Node } from "../../../lib/gen/amaas/registry/v1/Node.ts";
import { RpcClient } from "../../../lib/rpc/client.ts";
import type { MaybeEncoded } from "../../../lib/rpc/encoded.ts";

/** Connects nodes that hold at once what they are told to hold, and report as often as they are told. */
export function connectNodes(address: string, count: number): Promise<void> {
  const first = Array.from({ length: count }, (_, index) => new SimulatedNode(address, index).start());
  return Promise.all(first).then(() => undefined);
}

/** A node without a model: a connection of its own, one stream, heartbeats. */
class SimulatedNode {
  readonly #stream;
  #node: Node;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(address: string, index: number) {
    const client = new RpcClient<ControlServiceDefinition>("amaas.registry.v1.ControlService", address);
    this.#stream = client.duplex("ConnectNode");
    this.#node = {
      name: `nodes/bench-${index}`,
      address: `127.0.0.1:${10_000 + index}`,
      capabilities: {
        executionProviders: ["cpu"],
        opsets: { "ai.onnx": 22, "ai.onnx.ml": 5 },
        runtime: "onnxruntime 1.30.0",
        cores: 2,
      },
      memoryBytes: 200 * 1024 ** 2,
      replicas: [],
      load: { outstandingRequests: 0, answeredRequests: 0 },
    };
  }

  /** Settles once it has been told what to hold. */
  async start(): Promise<void> {
    await this.#report();
    await new Promise<void>((told, fail) => {
      this.#follow(told).catch(fail);
    });
  }

  async #follow(told: () => void): Promise<void> {
    for await (const reply of this.#stream.replies) {
      await this.#obey(reply);
      told();
    }
    throw new Error("the registry ended the stream of a node");
  }

  async #obey({ versions, heartbeatIntervalMs }: ConnectNodeResponse__Output): Promise<void> {
    const replicas = versions.map(({ version, variant }) => ({
      version,
      variant,
      state: "STATE_READY" as const,
      executionProvider: "cpu",
    }));
    this.#node = { ...this.#node, replicas };
    await this.#report();
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(() => void this.#report(), heartbeatIntervalMs);
  }

  #report(): Promise<void> {
    return this.#stream.write({ node: this.#node } satisfies MaybeEncoded<ConnectNodeRequest>);
  }
}
