import { decodeMessage, encodeMessage } from "../../../lib/rpc/protos.ts";
import { FakeNode, type NodeCall } from "../fake-node.ts";
import { FakeRegistry } from "../fake-registry.ts";
import { emptyFolder, Harness, routeOf } from "../harness.ts";

/** A request of an inference as a node reads it. */
export interface SeenInference {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  readonly parameters: Record<string, object>;
  readonly inputs: readonly { readonly name: string; readonly datatype: string; readonly shape: readonly string[] }[];
  readonly outputs: readonly { readonly name: string; readonly parameters: Record<string, object> }[];
  readonly rawInputContents: readonly Buffer[];
}

interface TensorHead {
  readonly name: string;
  readonly datatype: string;
}

/** A gateway with a node behind it that answers inferences with their inputs, under the names of the model's outputs. */
export class InferenceFixture {
  readonly seen: SeenInference[] = [];
  readonly node = new FakeNode();
  gateway!: Harness;
  /** What the node says of its model. */
  inputs: readonly TensorHead[] = [{ name: "x", datatype: "FP32" }];
  outputs: readonly TensorHead[] = [{ name: "y", datatype: "FP32" }];
  #stop: () => Promise<void> = async () => {};

  async start(settings: Record<string, string> = {}): Promise<this> {
    const folder = await emptyFolder();
    this.node.handle = (call, reply) => reply(null, this.#answer(call));
    await this.node.start();
    const registry = await new FakeRegistry([
      routeOf(
        "digits",
        { 1: [this.node.address], 2: [this.node.address], 3: "it is loading" },
        { default: 2, both: { 1: 1, 2: 1 } },
      ),
      {
        ...routeOf("limited", { 1: [this.node.address] }, { default: 1 }),
        traffic: { perPrincipal: { requestsPerSecond: 0.001 } },
      },
    ]).start();
    this.gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: registry.address,
      ...settings,
    });
    await this.gateway.routed("digits");
    this.#stop = async () => {
      await this.gateway.stop();
      await Promise.all([registry.stop(), this.node.stop()]);
      await folder.remove();
    };
    return this;
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  /** The methods that the node was asked, since it was last forgotten. */
  get methods(): readonly string[] {
    return this.node.calls.map((call) => call.getPath().split("/")[2]!);
  }

  forget(): void {
    this.seen.length = 0;
    this.node.calls.length = 0;
  }

  /** Sends a body, as it is or as JSON. */
  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const isRaw = typeof body === "string" || body instanceof Buffer;
    return fetch(`${this.gateway.httpUrl}${path}`, {
      method: "POST",
      headers,
      body: isRaw ? body : JSON.stringify(body),
    });
  }

  get(path: string): Promise<Response> {
    return fetch(`${this.gateway.httpUrl}${path}`);
  }

  #answer(call: NodeCall): Buffer {
    const method = call.getPath().split("/")[2]!;
    const say = (message: object) => encodeMessage("inference", `inference.${method}Response`, message);
    if (method === "ModelMetadata") {
      const tensors = (heads: readonly TensorHead[]) =>
        heads.map((head) => ({ ...head, shape: ["-1", "9007199254740993"] }));
      return say({
        name: "digits",
        versions: ["1", "2"],
        platform: "onnx",
        inputs: tensors(this.inputs),
        outputs: tensors(this.outputs),
      });
    }
    if (method === "ModelConfig")
      return say({ config: { name: "digits", maxBatchSize: 8, input: [{ name: "x", dims: ["4"] }] } });
    if (method === "ModelStatistics") {
      return say({
        modelStats: [
          { name: "digits", inferenceCount: "18446744073709551615", inferenceStats: { success: { count: "3" } } },
        ],
      });
    }
    if (method === "ModelReady") return say({ ready: true });
    if (method !== "ModelInfer") return say({});
    const request = decodeMessage<SeenInference>("inference", "inference.ModelInferRequest", call.request);
    this.seen.push(request);
    return say({
      modelName: request.modelName,
      modelVersion: request.modelVersion,
      id: request.id,
      parameters: { sequence_end: { boolParam: true } },
      outputs: request.inputs.map((input, index) => ({
        ...input,
        parameters: {},
        name: this.outputs[index]?.name ?? input.name,
      })),
      rawOutputContents: request.rawInputContents,
    });
  }
}
