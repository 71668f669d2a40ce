import { randomUUID } from "node:crypto";
import { expressionBuilder, type Kysely, sql } from "kysely";
import type { Clock } from "../../../lib/clock.ts";
import type { Database } from "./database.ts";
import { ModelTurns } from "./model-turns.ts";
import type { Schema, VariantRow } from "./schema.ts";
import type { Actor, CatalogueTransaction } from "./transaction.ts";
import { type Outcome, sampleOf, type ValidationStore } from "./validations.ts";
import { afterRefusal, afterValidation, type ExternalFile } from "./variants.ts";
import { type FullVersion, findVersion, saveVersion } from "./version-rows.ts";

/** A variant to validate, which nobody else validates while the claim is renewed. */
export interface Claim {
  readonly model: string;
  readonly number: number;
  readonly variant: string;
  /** Names the claim. */
  readonly lease: string;
  /** The SHA-256 of the ONNX file. */
  readonly sha256: string;
  readonly externalFiles: readonly ExternalFile[];
  /** Of the content. */
  readonly digest: string;
  /** What to run it on; null for zeros. */
  readonly sampleJson: string | null;
  /** How often a validator has been given it. */
  readonly attempts: number;
  /** When the variant was made, in milliseconds since 1970. */
  readonly createTimeMs: number;
}

/**
 * The variants that wait for their validation; those of one model in the order in which they came. Whoever has claimed one and dies has its work
 * taken up by another registry, or by itself after a restart.
 */
export class ValidationQueue {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #validations: ValidationStore;
  readonly #turns = new ModelTurns();

  constructor(database: Database, clock: Clock, validations: ValidationStore) {
    this.#database = database;
    this.#clock = clock;
    this.#validations = validations;
  }

  /** Gives back what this registry had claimed when it died. Where others share the catalogue, their claims have to run out. */
  async start(): Promise<void> {
    const { query, isShared } = this.#database;
    if (isShared) return;
    await query
      .updateTable("variants")
      .set({ lease_holder: null, lease_time: this.#clock.now() })
      .where("state", "=", validating)
      .execute();
  }

  /**
   * The next variant whose turn it is, all of whose files are there; undefined where there is none. Models take turns: of whatever
   * keeps the validators of one model busy, the others see one validation at a time.
   */
  async claim(leaseMs: number): Promise<Claim | undefined> {
    const now = this.#clock.now();
    const due = await dueVariants(this.#database.query, now)
      .select("due.model")
      .groupBy("due.model")
      .orderBy(({ fn }) => fn.min("due.lease_time"))
      .orderBy(({ fn }) => fn.min("due.create_time"))
      .execute();
    const models = due.map(({ model }) => model);
    for (const model of this.#turns.inOrder(models)) {
      const claim = await this.#claimOf(model, now, leaseMs);
      if (claim === undefined) continue;
      this.#turns.took(model, models);
      return claim;
    }
    return undefined;
  }

  async #claimOf(model: string, now: number, leaseMs: number): Promise<Claim | undefined> {
    const { query, isShared } = this.#database;
    const next = dueVariants(query, now)
      .select(["due.model", "due.number", "due.id"])
      .where("due.model", "=", model)
      .orderBy("due.lease_time")
      .orderBy("due.create_time")
      .orderBy("due.number")
      .orderBy("due.position")
      .limit(1)
      .$if(isShared, (rows) => rows.forUpdate("due").skipLocked());
    const row = await query
      .updateTable("variants")
      .set({ lease_holder: randomUUID(), lease_time: now + leaseMs })
      // Not "in": PostgreSQL may then look several times, and find another one each time.
      .where(({ eb, refTuple }) => eb(refTuple("model", "number", "id"), "=", next.$asTuple("model", "number", "id")))
      .returningAll()
      .executeTakeFirst();
    return row && claimOf(row, await sampleOf(query, row.model, row.number));
  }

  /** Keeps a claim; false where another one holds since it has run out, and where nobody asks for the outcome any more. */
  async renew({ lease, model }: Claim, leaseMs: number): Promise<boolean> {
    const { numUpdatedRows } = await this.#database.query
      .updateTable("variants")
      .set({ lease_time: this.#clock.now() + leaseMs })
      .where("state", "=", validating)
      .where("lease_holder", "=", lease)
      .where("model", "not in", ({ selectFrom }) =>
        selectFrom("models").select("id").where("id", "=", model).where("delete_time", "is not", null),
      )
      .executeTakeFirstOrThrow();
    return numUpdatedRows > 0n;
  }

  /** Counts that a validator is given it from here on; answers how often that is now. Whoever does it may not live to tell. */
  async begin({ lease, attempts }: Claim): Promise<number> {
    await this.#database.query
      .updateTable("variants")
      .set({ attempts: attempts + 1 })
      .where("state", "=", validating)
      .where("lease_holder", "=", lease)
      .execute();
    return attempts + 1;
  }

  /** Gives a claim back, for the time after a delay, tried so often as far as the model is concerned. */
  async release({ lease }: Claim, delayMs: number, attempts: number): Promise<void> {
    await this.#database.query
      .updateTable("variants")
      .set({ lease_holder: null, lease_time: this.#clock.now() + delayMs, attempts })
      .where("state", "=", validating)
      .where("lease_holder", "=", lease)
      .execute();
  }

  /** What is known of the content already. */
  async known({ digest, sampleJson }: Claim): Promise<Outcome | undefined> {
    return (await this.#validations.known(this.#database.query, [digest], sampleJson)).get(digest);
  }

  /**
   * Ends a claim with its outcome, which is kept for other versions of the same content where it follows from that alone.
   * Undefined where another claim holds.
   */
  async conclude(actor: Actor, claim: Claim, outcome: Outcome, isKept: boolean): Promise<FullVersion | undefined> {
    const { model, number, variant, digest, lease, sampleJson } = claim;
    return this.#change(actor, async (transaction) => {
      await transaction.lockModel(model);
      if (isKept) await this.#validations.keep(transaction, digest, sampleJson, outcome);
      const before = await findVersion(transaction.query, model, number);
      if (before?.variants.find(({ id }) => id === variant)?.lease_holder !== lease) return undefined;
      // The other variants may have waited for the primary with a known content.
      const digests = before.variants.map((row) => row.digest);
      const known = await this.#validations.known(transaction.query, digests, sampleJson);
      return saveVersion(transaction, before, afterValidation(before, new Map([...known, [digest, outcome]])));
    });
  }

  /** Gives up the variants that came before a time and are not validated yet. */
  async expire(actor: Actor, sinceMs: number, reason: string): Promise<void> {
    const isExpired = ({ create_time }: Pick<VariantRow, "create_time">) => create_time < sinceMs;
    const { query } = this.#database;
    const old = (state: typeof validating | typeof uploading) =>
      query
        .selectFrom("variants")
        .select(["model", "number"])
        .distinct()
        .where("state", "=", state)
        .where("create_time", "<", sinceMs)
        .limit(expiredMax)
        .execute();
    for (const { model, number } of [...(await old(uploading)), ...(await old(validating))]) {
      await this.#change(actor, async (transaction) => {
        await transaction.lockModel(model);
        const before = await findVersion(transaction.query, model, number);
        if (before !== undefined) await saveVersion(transaction, before, afterRefusal(before, isExpired, reason));
      });
    }
  }

  /** Forgets the oldest outcomes above a number. */
  prune(keptMax: number): Promise<void> {
    return this.#validations.prune(this.#database.query, keptMax);
  }

  #change<Result>(actor: Actor, work: (transaction: CatalogueTransaction) => Promise<Result>): Promise<Result> {
    return this.#database.change(actor, this.#clock.now(), work);
  }
}

/** Written into the statements, so that the databases see that their indexes of these few variants will do. */
const validating = sql.lit("VALIDATING" as const);
const uploading = sql.lit("UPLOADING" as const);

/** Most versions of a state that are given up at once. */
const expiredMax = 100;

function claimOf(row: VariantRow, sampleJson: string | null): Claim {
  const { model, number, sha256, digest, attempts, create_time: createTimeMs } = row;
  return {
    model,
    number,
    variant: row.id,
    lease: row.lease_holder!,
    sha256,
    externalFiles: JSON.parse(row.external_files_json),
    digest,
    sampleJson,
    attempts,
    createTimeMs,
  };
}

/** The variants whose time has come, all of whose files are there, of models that are not deleted. */
function dueVariants(query: Kysely<Schema>, now: number) {
  return (
    query
      .selectFrom("variants as due")
      .where("due.state", "=", validating)
      .where("due.lease_time", "<=", now)
      // The others are measured by the primary.
      .where(({ or, eb, exists }) => or([eb("due.position", "=", 0), exists(readyPrimary())]))
      .where(({ not, or, exists }) => not(or([exists(lostFile()), exists(deletedModel())])))
  );
}

/** Finds the primary of the version of the variant that the query around it is about, where it is READY. */
function readyPrimary() {
  return expressionBuilder<Schema & { due: VariantRow }, "due">()
    .selectFrom("variants as first")
    .select("first.id")
    .whereRef("first.model", "=", "due.model")
    .whereRef("first.number", "=", "due.number")
    .where("first.position", "=", 0)
    .where("first.state", "=", "READY");
}

/** Finds a file of the version that has been found to be gone or wrong; it waits until somebody uploads it again. */
function lostFile() {
  return expressionBuilder<Schema & { due: VariantRow }, "due">()
    .selectFrom("artifact_uses as use")
    .innerJoin("artifacts", "artifacts.sha256", "use.sha256")
    .select("use.sha256")
    .whereRef("use.model", "=", "due.model")
    .whereRef("use.number", "=", "due.number")
    .where("use.role", "=", "file")
    .where("artifacts.state", "!=", "STORED");
}

function deletedModel() {
  return expressionBuilder<Schema & { due: VariantRow }, "due">()
    .selectFrom("models")
    .select("models.id")
    .whereRef("models.id", "=", "due.model")
    .where("models.delete_time", "is not", null);
}
