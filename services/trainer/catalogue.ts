import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ServiceError } from "../../lib/errors.ts";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { Version } from "../../lib/gen/amaas/registry/v1/Version.ts";
import { aliasName, artifactName, modelName, parseArtifactName, parseVersionName } from "../../lib/resource-names.ts";
import { principalKey } from "../../lib/rpc/call-context.ts";
import type { RpcClient, RpcOptions } from "../../lib/rpc/client.ts";
import { relayedFault } from "../../lib/rpc/status.ts";
import { durationOf } from "../../lib/timestamp.ts";
import { diskFault } from "./disk-fault.ts";
import { specError } from "./graph/spec-error.ts";

/** How a call to the registry is made on behalf of a request. */
export type OnBehalf = Pick<RpcOptions, "requestId" | "signal" | "deadlineMs">;

/** A trained model and what is to be known of it. */
export interface NewVersion {
  readonly model: string;
  /** The model, "artifacts/{sha256}". */
  readonly artifact: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly lineage: Version["lineage"];
  /** Its model card, Markdown. */
  readonly card: string;
  /** The same id gives the same version, however often it is sent. */
  readonly idempotencyKey: string;
}

/** Sizes of files, in bytes. */
export interface CatalogueBounds {
  readonly datasetBytesMax: number;
  /** Of all files of a version together. */
  readonly modelBytesMax: number;
}

/** An ONNX file and those that it keeps weights in, by their locations. */
export interface ModelFiles {
  readonly model: Uint8Array;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Where the files of a model lie: the ONNX file, and others by their locations in it. */
export interface ModelPaths {
  readonly model: string;
  readonly files: ReadonlyMap<string, string>;
}

/** Where an alias leads. */
export interface ResolvedAlias {
  /** "models/{model}/versions/{number}" each. */
  readonly versions: readonly string[];
  /** Changes with every move; undefined where there is no alias. */
  readonly etag: string | undefined;
}

/** Who the trainer says that it is, for the registry's log of changes. */
const asTrainer = { [principalKey]: "trainer" };

/** The registry as the trainer needs it. Its faults are relayed; where it can't be reached: SERVICE_UNAVAILABLE. */
export class Catalogue {
  readonly #registry: RpcClient<RegistryServiceDefinition>;
  readonly #timeoutMs: number;
  readonly #bounds: CatalogueBounds;

  constructor(registry: RpcClient<RegistryServiceDefinition>, timeoutMs: number, bounds: CatalogueBounds) {
    this.#registry = registry;
    this.#timeoutMs = timeoutMs;
    this.#bounds = bounds;
  }

  /** Throws ARTIFACT_NOT_FOUND, or DATASET_INVALID where a dataset is larger than the trainer takes. */
  async checkDataset(sha256: string, onBehalf: OnBehalf): Promise<void> {
    const { sizeBytes } = await this.#reaching(() =>
      this.#registry.unary("GetArtifact", { name: artifactName(sha256) }, this.#limited(onBehalf)),
    );
    const { datasetBytesMax } = this.#bounds;
    if (sizeBytes <= datasetBytesMax) return;
    const needed = `at most ${datasetBytesMax}, AMAAS_TRAINER_DATASET_BYTES_MAX`;
    throw new ServiceError("DATASET_INVALID", `dataset: the file has ${sizeBytes} bytes; needed: ${needed}`);
  }

  /** The bytes of an artifact; throws ARTIFACT_CORRUPT at their end if they are not those of the digest. */
  async *download(sha256: string, onBehalf: OnBehalf): AsyncGenerator<Uint8Array> {
    const hash = createHash("sha256");
    try {
      for await (const { chunk } of this.#registry.serverStream(
        "DownloadArtifact",
        { name: artifactName(sha256) },
        { ...onBehalf, metadata: asTrainer },
      )) {
        hash.update(chunk);
        yield chunk;
      }
    } catch (failure) {
      throw relayedFault(failure);
    }
    const seen = hash.digest("hex");
    if (seen === sha256) return;
    throw new ServiceError("ARTIFACT_CORRUPT", `the bytes of ${artifactName(sha256)} have the SHA-256 ${seen}`);
  }

  /** Writes the bytes of an artifact to a new file; throws as {@link download} does, and WORKER_LOST where the disk is full. */
  async save(sha256: string, path: string, onBehalf: OnBehalf): Promise<void> {
    await pipeline(this.download(sha256, onBehalf), createWriteStream(path, { flags: "wx" })).catch((failure) => {
      throw diskFault(failure);
    });
  }

  /** Stores the bytes of a file, which must not change meanwhile; answers the artifact's name. */
  async upload(path: string, onBehalf: OnBehalf): Promise<string> {
    const { size } = await stat(path);
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    const sha256 = hash.digest("hex");
    const timeoutMs = this.#timeoutMs + (size / 1024 ** 2) * 1000;
    await this.#reaching(() =>
      this.#registry.clientStream("UploadArtifact", fileParts(path, sha256, size), {
        ...this.#limited(onBehalf),
        timeoutMs,
      }),
    );
    return artifactName(sha256);
  }

  /**
   * The files of a version that can be served, of its variant of full precision, written to new files of a folder, whose paths it answers;
   * `field` is what names the version. Throws VERSION_NOT_FOUND, SPEC_INVALID for one that cannot be or has no such variant, and
   * ARTIFACT_TOO_LARGE.
   */
  async saveModelFiles(name: string, field: string, folder: string, onBehalf: OnBehalf): Promise<ModelPaths> {
    const variant = await this.#servable(name, field, onBehalf);
    const saved = async (artifact: string, file: string) => {
      const path = join(folder, file);
      await this.save(parseArtifactName(artifact), path, onBehalf);
      return path;
    };
    const files = new Map<string, string>();
    for (const [index, { location, artifact }] of variant.externalFiles.entries()) {
      files.set(location, await saved(artifact, `initial-${index}`));
    }
    return { model: await saved(variant.artifact, "initial.onnx"), files };
  }

  /** Throws as {@link saveModelFiles} does for a version whose files cannot be had. */
  async checkServable(name: string, field: string, onBehalf: OnBehalf): Promise<void> {
    await this.#servable(name, field, onBehalf);
  }

  async #servable(name: string, field: string, onBehalf: OnBehalf) {
    const version = await this.#reaching(() => this.#registry.unary("GetVersion", { name }, this.#limited(onBehalf)));
    const { state, variants } = version;
    if (state !== "VERSION_STATE_READY" && state !== "VERSION_STATE_DEPRECATED") {
      throw specError(field, `${name}, which is ${state}`, "a version that is ready");
    }
    const variant = variants.find(({ precision }) => precision === "fp32");
    if (variant === undefined) {
      const seen = `${name}, whose variants are ${variants.map(({ precision }) => precision).join(", ")}`;
      throw specError(field, seen, "a version with a variant of fp32");
    }
    const { modelBytesMax } = this.#bounds;
    if (variant.sizeBytes > modelBytesMax) {
      const needed = `at most ${modelBytesMax}, AMAAS_TRAINER_MODEL_BYTES_MAX`;
      throw new ServiceError("ARTIFACT_TOO_LARGE", `${name} has ${variant.sizeBytes} bytes; needed: ${needed}`);
    }
    return variant;
  }

  /** Keeps an artifact from being collected for a while, from now on; asking again prolongs it. */
  async hold(resource: string, holder: string, durationMs: number, onBehalf: OnBehalf): Promise<void> {
    const request = { resource, holder, duration: durationOf(durationMs) };
    await this.#reaching(() => this.#registry.unary("HoldResource", request, this.#limited(onBehalf)));
  }

  /** Ends a hold before its time; nothing happens where there is none. */
  async release(resource: string, holder: string, onBehalf: OnBehalf): Promise<void> {
    await this.#reaching(() => this.#registry.unary("ReleaseHold", { resource, holder }, this.#limited(onBehalf)));
  }

  /**
   * Registers a model that is stored; answers the name of the version. Where the key has made a version of other
   * bytes before, on a machine that rounds otherwise, that one stands. Throws ARTIFACT_INVALID where the registry rejects the
   * version.
   */
  async register(version: NewVersion, onBehalf: OnBehalf): Promise<string> {
    const request = {
      parent: modelName(version.model),
      version: {
        variants: [{ artifact: version.artifact }],
        metrics: version.metrics,
        lineage: version.lineage,
        modelCard: version.card,
      },
      requestId: version.idempotencyKey,
      allowMissingModel: true,
    };
    try {
      return (await this.#reaching(() => this.#registry.unary("CreateVersion", request, this.#limited(onBehalf)))).name;
    } catch (failure) {
      const { field, version: made } = failure instanceof ServiceError ? failure.metadata : {};
      if (field !== "request_id" || made === undefined) throw failure;
      return made;
    }
  }

  /**
   * Points an alias at a version. Throws ETAG_MISMATCH where it has another etag than the one given; where that is undefined the alias is made,
   * and it is thrown where there is one by now.
   */
  async moveAlias(alias: string, version: string, etag: string | undefined, onBehalf: OnBehalf): Promise<void> {
    const { model, version: number } = parseVersionName(version);
    const request = {
      alias: { name: aliasName(model, alias), targets: [{ version: number }], etag },
      allowMissing: true,
      mustNotExist: etag === undefined,
      reason: "its training has ended",
    };
    await this.#reaching(() => this.#registry.unary("UpdateAlias", request, this.#limited(onBehalf)));
  }

  /** Where an alias leads now; nowhere where there is no such alias. */
  async resolveAlias(name: string, onBehalf: OnBehalf): Promise<ResolvedAlias> {
    try {
      const call = () => this.#registry.unary("ResolveAlias", { name }, this.#limited(onBehalf));
      const { alias, targets } = await this.#reaching(call);
      return { versions: targets.map((version) => version.name), etag: alias?.etag };
    } catch (failure) {
      if (failure instanceof ServiceError && failure.reason === "ALIAS_NOT_FOUND")
        return { versions: [], etag: undefined };
      throw failure;
    }
  }

  #limited(onBehalf: OnBehalf): RpcOptions {
    return { ...onBehalf, timeoutMs: this.#timeoutMs, metadata: asTrainer };
  }

  async #reaching<Reply>(call: () => Promise<Reply>): Promise<Reply> {
    try {
      return await call();
    } catch (failure) {
      throw relayedFault(failure);
    }
  }
}

const chunkBytes = 1024 * 1024;

async function* fileParts(path: string, sha256: string, sizeBytes: number) {
  yield { header: { sha256, sizeBytes } };
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) yield { chunk: chunk as Buffer };
}
