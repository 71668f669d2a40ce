import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { artifactName, versionName } from "../../../lib/resource-names.ts";
import { holdMessage } from "../messages/hold.ts";
import { storedArtifact } from "./artifacts.ts";
import type { Database } from "./database.ts";
import { lockedModel } from "./models.ts";
import type { HoldRow } from "./schema.ts";
import type { Actor, CatalogueTransaction } from "./transaction.ts";

/** What can be held. */
export type Holdable =
  | { readonly kind: "version"; readonly model: string; readonly number: number }
  | { readonly kind: "artifact"; readonly sha256: string };

/** Names a hold. */
export type HoldKey = Pick<HoldRow, "resource" | "holder">;

/** Who keeps versions and artifacts from being deleted. A hold that has expired counts as none, and later calls remove it. */
export class HoldStore {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * Takes a hold, or replaces the holder's own. Throws what `lockedModel` and `storedArtifact` throw, and VERSION_NOT_FOUND, also
   * for a version that is deleted.
   */
  async hold(actor: Actor, held: Holdable, holder: string, durationMs: number): Promise<HoldRow> {
    await this.#removeExpired(actor);
    return this.#database.change(actor, this.#clock.now(), async (transaction) => {
      await lockThere(transaction, held);
      const key = { resource: heldName(held), holder };
      const before = await find(transaction, key);
      const create_time = before?.create_time ?? transaction.timeMs;
      const after = { ...key, create_time, expire_time: transaction.timeMs + durationMs };
      await transaction.query
        .insertInto("holds")
        .values(after)
        .onConflict((conflict) => conflict.columns(["resource", "holder"]).doUpdateSet(after))
        .execute();
      record(transaction, held, before, after);
      return after;
    });
  }

  /** Ends a hold; nothing happens where there is none. */
  async release(actor: Actor, held: Holdable, holder: string): Promise<void> {
    await this.#database.change(actor, this.#clock.now(), async (transaction) => {
      await lock(transaction, held);
      const before = await find(transaction, { resource: heldName(held), holder });
      if (before === undefined) return;
      await transaction.query
        .deleteFrom("holds")
        .where("resource", "=", before.resource)
        .where("holder", "=", holder)
        .execute();
      await beginGrace(transaction, [{ resource: before.resource, expire_time: transaction.timeMs }]);
      record(transaction, held, before, undefined);
    });
  }

  /** At most `count` holds behind one, in the order of resources and holders; of one resource, or of all where that is empty. */
  list(resource: string, count: number, after: HoldKey | undefined): Promise<HoldRow[]> {
    return this.#database.query
      .selectFrom("holds")
      .selectAll()
      .where("expire_time", ">", this.#clock.now())
      .$if(resource !== "", (query) => query.where("resource", "=", resource))
      .$if(after !== undefined, (query) =>
        query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple("resource", "holder"), ">", tuple(after!.resource, after!.holder)),
        ),
      )
      .orderBy("resource")
      .orderBy("holder")
      .limit(count)
      .execute();
  }

  /** A bounded number at a time; whoever is being changed is left for later. */
  async #removeExpired(actor: Actor): Promise<void> {
    const now = this.#clock.now();
    const expired = ({ query }: Pick<Database, "query">) =>
      query.selectFrom("holds").select(["resource", "holder"]).where("expire_time", "<=", now).limit(expiredMax);
    if ((await expired(this.#database).limit(1).executeTakeFirst()) === undefined) return;
    await this.#database.change(actor, now, async (transaction) => {
      const removed = expired(transaction).$if(this.#database.isShared, (holds) => holds.forUpdate().skipLocked());
      const gone = await transaction.query
        .deleteFrom("holds")
        .where(({ eb, refTuple }) => eb(refTuple("resource", "holder"), "in", removed.$asTuple("resource", "holder")))
        .returning(["resource", "expire_time"])
        .execute();
      await beginGrace(transaction, gone);
    });
  }
}

/** The name of what is held. */
export function heldName(held: Holdable): string {
  return held.kind === "version" ? versionName(held.model, held.number) : artifactName(held.sha256);
}

/** Keeps everybody else from holding, releasing and deleting it. */
async function lock(transaction: CatalogueTransaction, held: Holdable): Promise<void> {
  if (held.kind === "version") await transaction.lockModel(held.model);
  else await transaction.lockArtifacts([held.sha256], "change");
}

/** Like `lock`; throws where it is not there to be held. */
async function lockThere(transaction: CatalogueTransaction, held: Holdable): Promise<void> {
  if (held.kind === "artifact") {
    await lock(transaction, held);
    await storedArtifact(transaction, held.sha256);
    return;
  }
  await lockedModel(transaction, held.model);
  const version = await transaction.query
    .selectFrom("versions")
    .select("state")
    .where("model", "=", held.model)
    .where("number", "=", held.number)
    .executeTakeFirst();
  if (version !== undefined && version.state !== "DELETED") return;
  const message = `${heldName(held)} ${version === undefined ? "does not exist" : "is deleted"}; needed: one that is there`;
  throw new ServiceError("VERSION_NOT_FOUND", message, { metadata: { model: held.model } });
}

/** Undefined where there is none, or it has expired. */
function find({ query, timeMs }: CatalogueTransaction, { resource, holder }: HoldKey): Promise<HoldRow | undefined> {
  return query
    .selectFrom("holds")
    .selectAll()
    .where("resource", "=", resource)
    .where("holder", "=", holder)
    .where("expire_time", ">", timeMs)
    .executeTakeFirst();
}

/** Artifacts that were held stay for as long as the collector's grace, which counts from the end of the hold. */
async function beginGrace(
  { query }: CatalogueTransaction,
  ended: readonly Pick<HoldRow, "resource" | "expire_time">[],
): Promise<void> {
  const ofArtifacts = ended.filter(({ resource }) => resource.startsWith(artifactName("")));
  // In the same order as everybody, so that nobody waits in a circle.
  for (const { resource, expire_time } of ofArtifacts.sort((a, b) => (a.resource < b.resource ? -1 : 1))) {
    await query
      .updateTable("artifacts")
      .set({ upload_time: expire_time })
      .where("sha256", "=", resource.slice(artifactName("").length))
      .where("upload_time", "<", expire_time)
      .execute();
  }
}

function record(
  transaction: CatalogueTransaction,
  held: Holdable,
  before: HoldRow | undefined,
  after: HoldRow | undefined,
): void {
  transaction.record({
    kind: "HOLD",
    resource: heldName(held),
    model: held.kind === "version" ? held.model : null,
    before: before && holdMessage(before),
    after: after && holdMessage(after),
  });
}

/** Most expired holds that one call removes. */
const expiredMax = 100;
