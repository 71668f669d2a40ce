import type { Kysely } from "kysely";
import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { aliasName } from "../../../lib/resource-names.ts";
import type { ComparedVersion } from "../compatibility/comparison.ts";
import type { FleetCapabilities } from "../control/fleet-capabilities.ts";
import { type Aim, numbersOf, targetNumbers } from "./alias-gate.ts";
import { aimOf, lastAim, moveAlias, removeAlias } from "./alias-moves.ts";
import { comparedVersions, everTargeted } from "./compared-versions.ts";
import type { Database } from "./database.ts";
import { namesOf } from "./existing-names.ts";
import { checkModel, lockedModel, staleEtag } from "./models.ts";
import { bytesOf, type Page, readPage } from "./pages.ts";
import type { AliasRevisionRow, AliasRow, Schema } from "./schema.ts";
import type { Actor, CatalogueTransaction } from "./transaction.ts";
import { type FullVersion, findVersions } from "./version-rows.ts";
import { missingVersion } from "./versions.ts";

/** A change of an alias. */
export interface AliasChange {
  readonly model: string;
  readonly id: string;
  /** Empty, or the etag that the alias must have. */
  readonly etag: string;
  readonly reason: string;
}

/** Where an alias is to lead. */
export interface AliasMove extends AliasChange {
  readonly aim: Aim;
  /** Makes the alias where there is none. */
  readonly allowMissing: boolean;
  /** Makes it, and changes none that is there. */
  readonly mustNotExist: boolean;
  readonly force: boolean;
}

/** Where an alias is to go back to. */
export interface AliasRollback extends AliasChange {
  readonly revision: number;
  readonly force: boolean;
}

/** An alias together with what it leads to, as of one moment; the versions in its order, as `findVersions` reads them. */
export interface ResolvedAlias {
  readonly alias: AliasRow;
  readonly targets: readonly FullVersion[];
  readonly mirrors: readonly FullVersion[];
}

/** The aliases of the catalogue, and everything that they have ever pointed at. */
export class AliasStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #fleet: () => FleetCapabilities;

  constructor(database: Database, clock: Clock, fleet: () => FleetCapabilities) {
    this.#database = database;
    this.#clock = clock;
    this.#fleet = fleet;
  }

  /** MODEL_NOT_FOUND, ALIAS_NOT_FOUND. */
  get(model: string, id: string): Promise<AliasRow> {
    return existing(this.#database.query, model, id);
  }

  /** A page of at most `count` aliases of a model behind the id `after`, in the order of their ids; MODEL_NOT_FOUND. */
  list(model: string, count: number, after = ""): Promise<Page<AliasRow>> {
    return this.#database.snapshot(async (query) => {
      const found = query.selectFrom("aliases").where("model", "=", model).where("id", ">", after).orderBy("id");
      const page = await readPage(
        count,
        (limit) => found.select(aimBytes.as("bytes")).limit(limit).execute(),
        (limit) => found.selectAll().limit(limit).execute(),
      );
      if (page.rows.length === 0) await checkModel(query, model);
      return page;
    });
  }

  /** MODEL_NOT_FOUND, ALIAS_NOT_FOUND. */
  resolve(model: string, id: string): Promise<ResolvedAlias> {
    return this.#database.snapshot(async (query) => {
      const alias = await existing(query, model, id);
      const { targets, mirrors } = aimOf(alias);
      const found = await findVersions(query, model, numbersOf({ targets, mirrors }));
      const versions = new Map(found.map((full) => [full.version.number, full]));
      const inOrder = (list: readonly { version: number }[]) => list.map(({ version }) => versions.get(version)!);
      return { alias, targets: inOrder(targets), mirrors: inOrder(mirrors) };
    });
  }

  /**
   * A page of at most `count` revisions of an alias below the number `before`, newest first, also where it is deleted.
   * MODEL_NOT_FOUND, ALIAS_NOT_FOUND where there never was one.
   */
  revisions(model: string, alias: string, count: number, before = Infinity): Promise<Page<AliasRevisionRow>> {
    return this.#database.snapshot(async (query) => {
      const found = revisionsOf(query, model, alias).$if(before !== Infinity, (rows) =>
        rows.where("revision", "<", before),
      );
      const page = await readPage(
        count,
        (limit) => found.select(aimBytes.as("bytes")).limit(limit).execute(),
        (limit) => found.selectAll().limit(limit).execute(),
      );
      return page.rows.length === 0 && before === Infinity ? missingVersion(query, model, { alias }) : page;
    });
  }

  /**
   * What an alias pointed at last, or has ever pointed at, as far as it can be compared, also where it is deleted; nothing where
   * there never was one.
   */
  async pointedAt(model: string, id: string, everPointedAt: boolean): Promise<readonly ComparedVersion[]> {
    const { query } = this.#database;
    if (everPointedAt) return everTargeted(query, model, id);
    return comparedVersions(query, model, targetNumbers(await lastAim(query, model, id)));
  }

  /**
   * Points an alias at versions. ALIAS_NOT_FOUND unless it may be made; ETAG_MISMATCH; what `lockedModel` and `moveAlias` throw.
   */
  move(actor: Actor, { model: modelId, id, etag, aim, ...options }: AliasMove): Promise<AliasRow> {
    return this.#change(actor, async (transaction) => {
      const model = await lockedModel(transaction, modelId);
      const mayBeMissing = options.allowMissing || options.mustNotExist;
      const present = await (mayBeMissing ? find : existing)(transaction.query, modelId, id);
      if (options.mustNotExist && present !== undefined) throw existsAlready(present);
      checkEtag(modelId, id, etag, present);
      return moveAlias(transaction, { model, id, present }, aim, options, this.#fleet());
    });
  }

  /**
   * Points an alias at what it pointed at in one of its revisions; 0 means the last one before the present. Also one that is
   * deleted. ALIAS_NOT_FOUND where there never was one; REVISION_NOT_FOUND names those there are; otherwise like `move`.
   */
  rollback(actor: Actor, { model: modelId, id, etag, revision, ...options }: AliasRollback): Promise<AliasRow> {
    return this.#change(actor, async (transaction) => {
      const model = await lockedModel(transaction, modelId);
      const present = await find(transaction.query, modelId, id);
      checkEtag(modelId, id, etag, present);
      const target = await pastAim(transaction.query, modelId, id, revision, present?.revision);
      return moveAlias(transaction, { model, id, present }, target, options, this.#fleet());
    });
  }

  /** Removes an alias; its history stays. ALIAS_NOT_FOUND, ETAG_MISMATCH, what `lockedModel` throws. */
  remove(actor: Actor, { model, id, etag, reason }: AliasChange): Promise<void> {
    return this.#change(actor, async (transaction) => {
      await lockedModel(transaction, model);
      const present = await existing(transaction.query, model, id);
      checkEtag(model, id, etag, present);
      await removeAlias(transaction, present, reason);
    });
  }

  #change<Result>(actor: Actor, work: (transaction: CatalogueTransaction) => Promise<Result>): Promise<Result> {
    return this.#database.change(actor, this.#clock.now(), work);
  }
}

function find(query: Kysely<Schema>, model: string, id: string): Promise<AliasRow | undefined> {
  return query.selectFrom("aliases").selectAll().where("model", "=", model).where("id", "=", id).executeTakeFirst();
}

async function existing(query: Kysely<Schema>, model: string, id: string): Promise<AliasRow> {
  return (await find(query, model, id)) ?? (await missingVersion(query, model, { alias: id }));
}

function existsAlready({ model, id, etag }: AliasRow): ServiceError {
  return new ServiceError("ETAG_MISMATCH", `${aliasName(model, id)} exists; needed: no alias of that name`, {
    metadata: { etag },
  });
}

function checkEtag(model: string, id: string, seen: string, present: AliasRow | undefined): void {
  if (seen === "" || seen === present?.etag) return;
  if (present !== undefined) throw staleEtag(aliasName(model, id), seen, present.etag);
  throw new ServiceError("ETAG_MISMATCH", `${aliasName(model, id)} does not exist; needed: no etag`, {
    metadata: { etag: "" },
  });
}

/** Newest first. */
function revisionsOf(query: Kysely<Schema>, model: string, alias: string) {
  return query
    .selectFrom("alias_revisions")
    .where("model", "=", model)
    .where("alias", "=", alias)
    .orderBy("revision", "desc");
}

/** What an alias, or a revision of it, takes in lists. */
const aimBytes = bytesOf(["targets_json", "mirrors_json", "principal", "reason"], 300);

async function pastAim(
  query: Kysely<Schema>,
  model: string,
  alias: string,
  revision: number,
  present = Infinity,
): Promise<Aim> {
  // Those that are removals point at nothing.
  const past = revisionsOf(query, model, alias).selectAll().where("deleted", "=", 0).limit(11);
  const row = await past
    .$if(revision > 0, (rows) => rows.where("revision", "=", revision))
    .$if(revision === 0 && present !== Infinity, (rows) => rows.where("revision", "<", present))
    .executeTakeFirst();
  if (row !== undefined) return aimOf(row);
  const others = await past.execute();
  if (others.length === 0) return missingVersion(query, model, { alias });
  const asked = revision > 0 ? `revision ${revision} that points at anything` : `revision before ${present}`;
  const exist = namesOf(others.map((other) => other.revision));
  const message = `${aliasName(model, alias)} has no ${asked}; there are: ${exist}`;
  throw new ServiceError("REVISION_NOT_FOUND", message, { metadata: { alias: aliasName(model, alias) } });
}
