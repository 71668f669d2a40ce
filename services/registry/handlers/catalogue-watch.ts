import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { modelName } from "../../../lib/resource-names.ts";
import { Wakeup } from "../control/wakeup.ts";
import type { ChangeFilters, ChangeStore } from "../store/changes.ts";
import type { Database, Touched } from "../store/database.ts";
import type { ChangeRow } from "../store/schema.ts";

/** What a watch needs. */
export interface CatalogueWatchParts {
  readonly database: Database;
  readonly changes: ChangeStore;
  readonly clock: Clock;
}

/**
 * Every change behind a number, oldest first and for ever, until the signal aborts, with its reason. A page of them is in memory,
 * however slowly they are taken. Waits while the database is away.
 */
export async function* changesBehind(
  after: number,
  filters: ChangeFilters,
  { database, changes, clock }: CatalogueWatchParts,
  over: AbortSignal,
): AsyncGenerator<ChangeRow> {
  const news = new Wakeup();
  const stopListening = database.onCommit((_, touched) => {
    if (touched.some((one) => mayConcern(one, filters))) news.wake();
  });
  let cancelRetry: () => void = () => undefined;
  try {
    for (let seen = after; ; ) {
      const page = await changes.oldest(filters, seen, pageSize, over).catch((failure: unknown) => {
        if (!(failure instanceof ServiceError && failure.reason === "SERVICE_UNAVAILABLE")) throw failure;
        cancelRetry = clock.after(retryDelayMs, () => news.wake());
        return { rows: [], seen, isMore: false };
      });
      yield* page.rows;
      seen = page.seen;
      if (!page.isMore) await news.next(over);
    }
  } finally {
    cancelRetry();
    stopListening();
  }
}

/** Whether it is worth a look; what a resource has below it is found by its model. */
function mayConcern({ kind, model, resource }: Touched, { kinds, resource: watched }: ChangeFilters): boolean {
  if (kinds.length > 0 && !kinds.includes(kind)) return false;
  return watched === "" || watched === resource || (model !== null && watched === modelName(model));
}

/** Most changes that are read at once. */
const pageSize = 100;

/** How long to wait before a database that is away is asked again, in milliseconds. */
const retryDelayMs = 500;
