import { InferenceSession, Tensor } from "onnxruntime-node";
import type { InferenceConfig } from "../../services/inference/config.ts";
import { scrape } from "../metrics/scrape.ts";
import { type AssignedVersion, FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { bytesOf, floatsOf } from "./wire.ts";

/** A node that is set to offer some execution providers, with its registry. */
export class DeviceNode {
  readonly registry = new FakeRegistry();
  readonly #folder: Awaited<ReturnType<typeof emptyFolder>>;
  #node: RunningNode | undefined;

  private constructor(folder: Awaited<ReturnType<typeof emptyFolder>>) {
    this.#folder = folder;
  }

  static async start(
    executionProviders: readonly string[],
    settings: Partial<InferenceConfig> = {},
  ): Promise<DeviceNode> {
    const device = new DeviceNode(await emptyFolder());
    await device.registry.start();
    device.#node = await startNode(device.#folder.path, device.registry.address, { executionProviders, ...settings });
    return device;
  }

  get client(): RunningNode["client"] {
    return this.#node!.client;
  }

  /** A number that its metrics have; undefined where they do not. */
  async figure(name: string): Promise<number | undefined> {
    return (await scrape(this.#node!.service.metricsPort)).get(name);
  }

  async stop(): Promise<void> {
    await this.#node?.stop();
    await this.registry.stop();
    await this.#folder.remove();
  }

  version(model: string, bytes: Uint8Array, executionProviders: readonly string[]): AssignedVersion {
    return { model, version: 1, ...this.registry.store(bytes), aliases: [], executionProviders };
  }

  /** How far a model has come, why, and where it runs, such as "webgpu+cpu". */
  async placed(model: string): Promise<{ readonly state: string; readonly reason: string; readonly on: string }> {
    const isWanted = ({ version, state }: { readonly version: string; readonly state: string }) =>
      version === `models/${model}/versions/1` && state !== "STATE_LOADING";
    const { replicas } = await this.registry.reported((node) => node.replicas.some(isWanted));
    const { state, reason, executionProvider, fallbackExecutionProviders } = replicas.find(isWanted)!;
    return { state, reason, on: [executionProvider, ...fallbackExecutionProviders].join("+") };
  }

  /** The only output of a model for its input `x`. */
  async infer(modelName: string, columns: number, input: Float32Array): Promise<number[]> {
    const inputs = [{ name: "x", datatype: "FP32", shape: [input.length / columns, columns] }];
    const request = { modelName, inputs, rawInputContents: [bytesOf(input)] };
    const { rawOutputContents } = await this.client.unary("ModelInfer", request, { timeoutMs: 60_000 });
    return floatsOf(rawOutputContents[0]);
  }
}

/** What the bare runtime gives as `y` on the CPU. */
export async function onCpu(model: Uint8Array, columns: number, input: Float32Array): Promise<Float32Array> {
  const bare = await InferenceSession.create(model);
  const { y } = await bare.run({ x: new Tensor("float32", input, [input.length / columns, columns]) });
  await bare.release();
  return y.data as Float32Array;
}

/** How far two results are apart at most. */
export function distance(found: readonly number[], expected: Float32Array): number {
  return Math.max(...found.map((value, index) => Math.abs(value - expected[index])));
}
