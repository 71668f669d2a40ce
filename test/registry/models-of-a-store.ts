import type { Alias } from "../../lib/gen/amaas/registry/v1/Alias.ts";
import type { CompatibilityMode__Output } from "../../lib/gen/amaas/registry/v1/CompatibilityMode.ts";
import type { Signature } from "../../lib/tensor.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { emptyFolder, publish, type RunningRegistry, startRegistry } from "./running-registry.ts";
import { signedModel } from "./signed-model.ts";

/** What a test has: a running registry that it shares with the others, and a model of its own without versions. */
export interface OwnModel {
  running: RunningRegistry;
  /** Its id. */
  id: string;
  /** Its name. */
  name: string;
}

/** Describes the same on every store. */
export function describeModelsOnEachStore(title: string, describeTests: (own: OwnModel) => void): void {
  for (const store of catalogueStores) {
    describe(`${title} (${store.name})`, () => {
      const own = {} as OwnModel;
      let folder: Awaited<ReturnType<typeof emptyFolder>>;
      let count = 0;

      before(async function () {
        // PostgreSQL takes a while to start, once.
        this.timeout(60_000);
        folder = await emptyFolder();
        own.running = await startRegistry(folder.path, await store.settings());
      });

      beforeEach(async () => {
        own.id = `m${++count}`;
        own.name = `models/${own.id}`;
        await own.running.registry.unary("CreateModel", { modelId: own.id });
      });

      after(async () => {
        await own.running.stop();
        await folder.remove();
      });

      describeTests(own);
    });
  }
}

/** `y` from `x`, both FP32: what most versions of the tests are. */
export const plain: Signature = {
  inputs: [{ name: "x", dataType: "FP32", shape: ["batch", 4] }],
  outputs: [{ name: "y", dataType: "FP32", shape: ["batch", 2] }],
};

/** Calls about one model and its alias "default". */
export class ModelCalls {
  readonly #own: OwnModel;
  #seed = 0;

  constructor(own: OwnModel) {
    this.#own = own;
  }

  get registry() {
    return this.#own.running.registry;
  }

  /** Registers a version of each signature, in this order. */
  async publish(...signatures: readonly Signature[]): Promise<void> {
    for (const signature of signatures) {
      await publish(this.registry, this.#own.id, signedModel(signature, this.#seed++));
    }
  }

  setMode(mode: string) {
    const compatibility = `COMPATIBILITY_MODE_${mode}` as CompatibilityMode__Output;
    const request = { model: { name: this.#own.name, compatibility }, updateMask: { paths: ["compatibility"] } };
    return this.registry.unary("UpdateModel", request);
  }

  /** Points the alias at versions of equal weight, or as `alias` says. */
  move(versions: readonly number[], options: object = {}, alias: Alias = {}) {
    const targets = versions.map((version) => ({ version }));
    const request = { alias: { name: this.alias, targets, ...alias }, allowMissing: true, ...options };
    return this.registry.unary("UpdateAlias", request, { metadata: { "amaas-principal": "ann" } });
  }

  get() {
    return this.registry.unary("GetAlias", { name: this.alias });
  }

  rollback(options: object = {}) {
    return this.registry.unary("RollbackAlias", { name: this.alias, ...options });
  }

  remove(options: object = {}) {
    return this.registry.unary("DeleteAlias", { name: this.alias, ...options });
  }

  async revisions() {
    return (await this.registry.unary("ListAliasRevisions", { name: this.alias })).revisions;
  }

  deprecate(version: number) {
    return this.registry.unary("DeprecateVersion", { name: this.version(version), reason: "too old" });
  }

  get alias() {
    return `${this.#own.name}/aliases/default`;
  }

  version(number: number) {
    return `${this.#own.name}/versions/${number}`;
  }
}
