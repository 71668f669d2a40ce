import { createHash } from "node:crypto";
import type { RegistryServiceDefinition } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { GraphBuilder } from "../../../lib/onnx/builder.ts";
import { modelOf } from "../../../lib/onnx/export.ts";
import { writeModel } from "../../../lib/onnx/model.ts";
import { aliasName, artifactName, defaultAlias, modelName } from "../../../lib/resource-names.ts";
import { RpcClient } from "../../../lib/rpc/client.ts";
import { chainOfProducts, weightsFile } from "./large-model.ts";

type Registry = RpcClient<RegistryServiceDefinition>;

/** The ids of the models that a bench makes, from 0. */
export const modelId = (index: number) => `bench-${String(index).padStart(5, "0")}`;

/** Stores a small ONNX file; answers the name of the artifact. */
export function publish(address: string): Promise<string> {
  const graph = new GraphBuilder("adding");
  graph.output("y", graph.add(graph.input("x", "FP32", ["batch", 2]), graph.scalar(1, "FP32")));
  return during(address, (registry) => stored(registry, writeModel(modelOf(graph.graph()))));
}

/** Registers a model whose weights, each one square matrix of a width, are stored already. */
export function registerLarge(address: string, { width, weights }: LargeModel): Promise<void> {
  const externalFiles = weights.map((sha256, index) => ({
    location: weightsFile(index),
    artifact: artifactName(sha256),
  }));
  return during(address, async (registry) => {
    const artifact = await stored(registry, chainOfProducts(width, weights.length));
    const version = { variants: [{ artifact, externalFiles }] };
    const request = { parent: modelName("large"), version, allowMissingModel: true };
    await registry.unary("CreateVersion", request);
  });
}

/** A model whose matrices are artifacts. */
export interface LargeModel {
  readonly width: number;
  /** The SHA-256 of each. */
  readonly weights: readonly string[];
}

async function stored(registry: Registry, file: Uint8Array): Promise<string> {
  const chunk = Buffer.from(file);
  const sha256 = createHash("sha256").update(chunk).digest("hex");
  const parts = [{ header: { sha256, sizeBytes: chunk.length } }, { chunk }];
  return (await registry.clientStream("UploadArtifact", parts)).name;
}

/** Versions to be made, of the same artifact, which is known after the first. */
export interface Filling {
  readonly artifact: string;
  readonly firstModel: number;
  readonly models: number;
  readonly versionsPerModel: number;
  readonly inFlight: number;
}

/** Makes them, and the models: version 1 of all models, then version 2, … Answers the seconds that it took. */
export function fill(address: string, filling: Filling): Promise<number> {
  const { artifact, firstModel, models, versionsPerModel, inFlight } = filling;
  return during(address, async (registry) => {
    const begin = performance.now();
    let next = 0;
    await atOnce(inFlight, async () => {
      while (next < models * versionsPerModel) {
        const model = firstModel + (next % models);
        const version = Math.floor(next / models) + 1;
        next++;
        await createVersion(registry, artifact, model, version);
      }
    });
    return (performance.now() - begin) / 1000;
  });
}

/** Makes versions of one model for a while; answers how many per second. */
export function creationRate(address: string, { artifact, model, inFlight, durationMs }: Creating): Promise<number> {
  return during(address, async (registry) => {
    const begin = performance.now();
    let count = 0;
    await atOnce(inFlight, async () => {
      while (performance.now() - begin < durationMs) await createVersion(registry, artifact, model, ++count);
    });
    return count / ((performance.now() - begin) / 1000);
  });
}

/** How versions are made for a while. */
export interface Creating {
  readonly artifact: string;
  readonly model: number;
  readonly inFlight: number;
  readonly durationMs: number;
}

async function createVersion(registry: Registry, artifact: string, model: number, mark: number): Promise<void> {
  const version = {
    variants: [{ artifact }],
    metrics: { accuracy: 0.9 + (mark % 100) / 1000 },
    tags: { team: "bench", stage: mark % 2 === 0 ? "even" : "odd" },
  };
  const request = { parent: modelName(modelId(model)), version, allowMissingModel: true };
  const { state } = await registry.unary("CreateVersion", request);
  if (state !== "VERSION_STATE_READY") throw new Error(`a new version is ${state}; needed: VERSION_STATE_READY`);
}

/** Points aliases of models at one of their versions. */
export function point(address: string, models: number, alias: string, version: number): Promise<void> {
  return during(address, async (registry) => {
    for (let model = 0; model < models; model++) {
      const name = aliasName(modelId(model), alias);
      await registry.unary("UpdateAlias", { alias: { name, targets: [{ version }] }, allowMissing: true });
    }
  });
}

/** Points the default alias of models at their version 1. */
export function pointDefaults(address: string, models: number): Promise<void> {
  return point(address, models, defaultAlias, 1);
}

/** Lists all models; answers the milliseconds of every page. */
export function listModels(address: string, pageSize: number): Promise<number[]> {
  return during(address, (registry) =>
    pagesOf(async (pageToken) => (await registry.unary("ListModels", { pageSize, pageToken })).nextPageToken),
  );
}

/** Lists all versions of one model; answers the milliseconds of every page. */
export function listVersions(address: string, model: number, pageSize: number): Promise<number[]> {
  const parent = modelName(modelId(model));
  return during(address, (registry) =>
    pagesOf(async (pageToken) => (await registry.unary("ListVersions", { parent, pageSize, pageToken })).nextPageToken),
  );
}

/** Lists the versions of models, one after the other, each on one page; answers the milliseconds of every page. */
export function listVersionsOfEach(address: string, models: number): Promise<number[]> {
  return during(address, async (registry) => {
    const timesMs: number[] = [];
    for (let model = 0; model < models; model++) {
      const begin = performance.now();
      await registry.unary("ListVersions", { parent: modelName(modelId(model)) });
      timesMs.push(performance.now() - begin);
    }
    return timesMs;
  });
}

async function pagesOf(page: (pageToken: string) => Promise<string>): Promise<number[]> {
  const timesMs: number[] = [];
  let pageToken = "";
  do {
    const begin = performance.now();
    pageToken = await page(pageToken);
    timesMs.push(performance.now() - begin);
  } while (pageToken !== "");
  return timesMs;
}

async function during<Result>(address: string, work: (registry: Registry) => Promise<Result>): Promise<Result> {
  const registry: Registry = new RpcClient("amaas.registry.v1.RegistryService", address);
  try {
    return await work(registry);
  } finally {
    registry.close();
  }
}

async function atOnce(count: number, work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, work));
}
