import { createHash } from "node:crypto";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { Job__Output } from "../../lib/gen/amaas/trainer/v1/Job.ts";
import type { Progress__Output } from "../../lib/gen/amaas/trainer/v1/Progress.ts";
import type { TrainerServiceDefinition } from "../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { RpcClient } from "../../lib/rpc/client.ts";

/** The share of digits that the training never sees, and the seed that decides which. */
export const validationShare = 0.2;
export const seed = 7;

const network: Omit<TrainSpec, "dataset"> = {
  model: "models/digits",
  layers: [{ linear: { outputSize: 128 } }, { relu: {} }, { linear: { outputSize: 10 } }, { softmax: {} }],
  loss: "LOSS_CROSS_ENTROPY",
  optimizer: { adam: { learningRate: 0.001 } },
  epochs: 60,
  batchSize: 32,
  seed,
  validationShare,
  targetAlias: "default",
};

/** Stores the dataset in the registry; answers the name of the artifact. */
export async function uploadDataset(gateway: string, bytes: Buffer): Promise<string> {
  const registry = new RpcClient<RegistryServiceDefinition>("amaas.registry.v1.RegistryService", gateway);
  try {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const parts = [{ header: { sha256, sizeBytes: bytes.length } }, { chunk: bytes }];
    return (await registry.clientStream("UploadArtifact", parts, { timeoutMs: 30_000 })).name;
  } finally {
    registry.close();
  }
}

/** Submits the training and follows it to its end; throws if it doesn't succeed. */
export async function train(
  gateway: string,
  dataset: string,
  onProgress: (progress: Progress__Output) => void,
): Promise<Job__Output> {
  const trainer = new RpcClient<TrainerServiceDefinition>("amaas.trainer.v1.TrainerService", gateway);
  try {
    const { name } = await trainer.unary(
      "CreateJob",
      { job: { train: { ...network, dataset } } },
      { timeoutMs: 10_000 },
    );
    let job: Job__Output | undefined;
    for await (const event of trainer.serverStream("WatchJob", { name }, { timeoutMs: 120_000 })) {
      if (event.progressed) onProgress(event.progressed);
      if (event.stateChanged) job = event.stateChanged;
    }
    if (job?.state === "STATE_SUCCEEDED") return job;
    throw new Error(`${name} ended in ${job?.state}: ${job?.error?.message}`);
  } finally {
    trainer.close();
  }
}
