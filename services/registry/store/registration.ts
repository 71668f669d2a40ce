import { type Kysely, sql } from "kysely";
import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { versionName } from "../../../lib/resource-names.ts";
import { storedArtifact, storedArtifacts } from "./artifacts.ts";
import type { Database } from "./database.ts";
import { lockedModel, lockedOrNewModel } from "./models.ts";
import {
  insertBeside,
  insertUses,
  type NewLineage,
  type NewVersion,
  newVersionRow,
  requestDigestOf,
  usesOf,
} from "./new-version.ts";
import type { ArtifactRow, Schema, VariantRow } from "./schema.ts";
import type { Actor, CatalogueTransaction } from "./transaction.ts";
import { sampleOf, type ValidationStore } from "./validations.ts";
import { afterArrival, afterValidation, type NewVariant, newVariantRow, variantDigest } from "./variants.ts";
import { type FullVersion, findVersion, insertVersion, saveVersion } from "./version-rows.ts";
import { checkState, lockedVersion } from "./versions.ts";

/** How a version is registered. */
export interface RegistrationOptions {
  /** Empty where the call has none. */
  readonly requestId: string;
  readonly allowMissingModel: boolean;
  readonly allowMissingArtifacts: boolean;
}

/** What registration needs. */
export interface RegistrationParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly validations: ValidationStore;
  /** Most variants that wait for their validation, and for their artifacts, when another one comes. */
  readonly waitingMax: number;
  readonly uploadingMax: number;
}

/** Makes versions and adds variants: each is UPLOADING, VALIDATING, or at once READY or REJECTED where its content is known. */
export class Registration {
  readonly #parts: RegistrationParts;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
  }

  /**
   * Gives a version the next number of its model; or answers the version that the same request id made before, in whatever
   * state. MODEL_NOT_FOUND, MODEL_DELETED, VERSION_NOT_FOUND of the parent; REQUEST_INVALID where the request id belongs to other
   * files; what `storedArtifact` throws; QUEUE_FULL.
   */
  create(actor: Actor, version: NewVersion, options: RegistrationOptions): Promise<FullVersion> {
    const { model, variants, lineage } = version;
    const files = variants.flatMap(({ sha256, externalFiles }) => [
      sha256,
      ...externalFiles.map((file) => file.sha256),
    ]);
    return this.#change(actor, async (transaction) => {
      const stored = await storedArtifacts(transaction, [...files, ...(lineage?.datasets ?? [])]);
      const lock = options.allowMissingModel ? lockedOrNewModel : lockedModel;
      const { next_version: number } = await lock(transaction, model);
      const requestDigest = requestDigestOf(variants);
      const made = await madeBefore(transaction.query, model, options.requestId, requestDigest);
      if (made !== undefined) return made;
      if (!options.allowMissingArtifacts) await checkAllStored(transaction, files, stored);
      if (lineage?.parent !== undefined) await checkParent(transaction.query, lineage.parent);

      const row = newVersionRow(version, number, transaction.timeMs, options.requestId, requestDigest);
      const rows = variants.map((variant, position) =>
        newVariantRow(model, number, position, variant, transaction.timeMs),
      );
      const full = await this.#validated(
        transaction,
        afterArrival({ version: row, variants: rows }, stored),
        version.sampleJson,
      );
      await transaction.query
        .updateTable("models")
        .set({ next_version: number + 1 })
        .where("id", "=", model)
        .execute();
      await insertVersion(transaction, full);
      // Nothing of a version that is rejected is run any more.
      const sampleJson = full.version.state === "REJECTED" ? null : version.sampleJson;
      await insertBeside(transaction, { ...version, sampleJson }, number, files);
      return full;
    });
  }

  /**
   * Adds a variant; one of the same id and the same files is there already. VERSION_STATE, VARIANT_EXISTS, REQUEST_INVALID where
   * there are too many; what `lockedVersion` and `storedArtifact` throw; QUEUE_FULL.
   */
  addVariant(
    actor: Actor,
    model: string,
    number: number,
    variant: NewVariant,
    allowMissingArtifacts: boolean,
  ): Promise<FullVersion> {
    const files = [variant.sha256, ...variant.externalFiles.map((file) => file.sha256)];
    return this.#change(actor, async (transaction) => {
      const stored = await storedArtifacts(transaction, files);
      const before = await lockedVersion(transaction, model, number);
      const known = before.variants.find(({ id }) => id === variant.id);
      if (known !== undefined) return checkSame(before, known, variant);
      checkState(before, "another variant", ["READY", "DEPRECATED"]);
      const position = before.variants.length;
      if (position >= variantsMax) throw tooManyVariants(model, number);
      if (!allowMissingArtifacts) await checkAllStored(transaction, files, stored);
      const row = newVariantRow(model, number, position, variant, transaction.timeMs);
      const added = afterArrival({ ...before, variants: [...before.variants, row] }, stored);
      const after = await this.#validated(transaction, added, await sampleOf(transaction.query, model, number));
      await insertUses(transaction.query, usesOf(model, number, "file", files));
      return saveVersion(transaction, before, after);
    });
  }

  /**
   * Goes on with the versions that waited for an artifact, within the transaction that stores it. The artifact is locked, and
   * its row says that it is stored.
   */
  async artifactArrived(transaction: CatalogueTransaction, sha256: string): Promise<void> {
    const { query } = transaction;
    const waiting = await query
      .selectFrom("artifact_uses as use")
      .innerJoin("variants", (join) =>
        join.onRef("variants.model", "=", "use.model").onRef("variants.number", "=", "use.number"),
      )
      .select(["use.model", "use.number"])
      .distinct()
      .where("use.sha256", "=", sha256)
      .where("use.role", "=", "file")
      .where("variants.state", "=", "UPLOADING")
      .orderBy("use.model")
      .orderBy("use.number")
      .execute();
    for (const model of new Set(waiting.map((use) => use.model))) await transaction.lockModel(model);
    for (const { model, number } of waiting) {
      const before = await findVersion(query, model, number);
      if (before === undefined) continue;
      const arrived = afterArrival(before, await storedFiles(query, model, number));
      // Nobody who asks for it could be told that there is no room in the queue.
      const after = await this.#known(query, arrived, await sampleOf(query, model, number));
      await saveVersion(transaction, before, after);
    }
  }

  #change(actor: Actor, work: (transaction: CatalogueTransaction) => Promise<FullVersion>): Promise<FullVersion> {
    const { database, clock } = this.#parts;
    return database.change(actor, clock.now(), work);
  }

  /** Applies what is known of the content; QUEUE_FULL where something remains to be waited for, and too much waits. */
  async #validated(
    { query }: CatalogueTransaction,
    full: FullVersion,
    sampleJson: string | null,
  ): Promise<FullVersion> {
    const known = await this.#known(query, full, sampleJson);
    const { waitingMax, uploadingMax } = this.#parts;
    if (known.variants.some(isWaiting)) await checkRoom(query, "VALIDATING", waitingMax);
    if (known.variants.some(isUploading)) await checkRoom(query, "UPLOADING", uploadingMax);
    return known;
  }

  async #known(query: Kysely<Schema>, full: FullVersion, sampleJson: string | null): Promise<FullVersion> {
    const digests = full.variants.filter(isWaiting).map(({ digest }) => digest);
    return afterValidation(full, await this.#parts.validations.known(query, digests, sampleJson));
  }
}

/** Most variants of a version. */
export const variantsMax = 16;

function isWaiting({ state }: VariantRow): boolean {
  return state === "VALIDATING";
}

function isUploading({ state }: VariantRow): boolean {
  return state === "UPLOADING";
}

async function checkRoom(query: Kysely<Schema>, state: "VALIDATING" | "UPLOADING", countMax: number): Promise<void> {
  const { count } = await query
    .selectFrom("variants")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("state", "=", sql.lit(state))
    .executeTakeFirstOrThrow();
  if (count < countMax) return;
  const what = state === "VALIDATING" ? "validation" : "artifacts";
  const message = `${count} variants wait for their ${what}; needed: less than ${countMax}`;
  throw new ServiceError("QUEUE_FULL", message, { retryDelayMs: 5000 });
}

async function madeBefore(
  query: Kysely<Schema>,
  model: string,
  requestId: string,
  requestDigest: string,
): Promise<FullVersion | undefined> {
  if (requestId === "") return undefined;
  const made = await query
    .selectFrom("versions")
    .select(["number", "request_digest"])
    .where("model", "=", model)
    .where("request_id", "=", requestId)
    .executeTakeFirst();
  if (made === undefined || made.request_digest === requestDigest) {
    return made && findVersion(query, model, made.number);
  }
  const version = versionName(model, made.number);
  const message = `request_id is ${JSON.stringify(requestId)}, which made ${version} of other artifacts; needed: the same artifacts, or another request_id`;
  throw new ServiceError("REQUEST_INVALID", message, { metadata: { field: "request_id", version } });
}

/** Throws what is wrong with the first of the files that is not stored. */
async function checkAllStored(
  transaction: CatalogueTransaction,
  files: readonly string[],
  stored: ReadonlyMap<string, ArtifactRow>,
): Promise<void> {
  const missing = files.find((sha256) => !stored.has(sha256));
  if (missing !== undefined) await storedArtifact(transaction, missing);
}

async function checkParent(
  query: Kysely<Schema>,
  { model, version }: NonNullable<NewLineage["parent"]>,
): Promise<void> {
  const row = await query
    .selectFrom("versions")
    .select("state")
    .where("model", "=", model)
    .where("number", "=", version)
    .executeTakeFirst();
  if (row !== undefined && row.state !== "DELETED") return;
  const seen = `${versionName(model, version)}, which ${row === undefined ? "does not exist" : "is deleted"}`;
  const message = `version.lineage.parent_version is ${seen}; needed: a version that is there`;
  throw new ServiceError("VERSION_NOT_FOUND", message, {
    metadata: { model, field: "version.lineage.parent_version" },
  });
}

async function storedFiles(query: Kysely<Schema>, model: string, number: number): Promise<Map<string, ArtifactRow>> {
  const rows = await query
    .selectFrom("artifacts")
    .innerJoin("artifact_uses as use", "use.sha256", "artifacts.sha256")
    .selectAll("artifacts")
    .where("use.model", "=", model)
    .where("use.number", "=", number)
    .where("use.role", "=", "file")
    .where("artifacts.state", "=", "STORED")
    .execute();
  return new Map(rows.map((row) => [row.sha256, row]));
}

function checkSame(version: FullVersion, known: VariantRow, variant: NewVariant): FullVersion {
  if (known.digest === variantDigest(variant)) return version;
  const { model, number, id } = known;
  const message = `${versionName(model, number)} has a variant ${id} of other files; needed: the same files, or another id`;
  throw new ServiceError("VARIANT_EXISTS", message, { metadata: { version: versionName(model, number), variant: id } });
}

function tooManyVariants(model: string, number: number): ServiceError {
  const message = `${versionName(model, number)} has ${variantsMax} variants; needed: fewer`;
  return new ServiceError("REQUEST_INVALID", message, { metadata: { field: "variant" } });
}
