import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { ServiceError } from "../../lib/errors.ts";
import { changesBehind } from "../../services/registry/handlers/catalogue-watch.ts";
import { ChangeStore } from "../../services/registry/store/changes.ts";
import { Database } from "../../services/registry/store/database.ts";
import { ManualClock } from "../manual-clock.ts";
import { emptyFolder } from "./running-registry.ts";

const everything = { resource: "", principal: "", call: "", kinds: [] };
const actor = { principal: "anonymous", call: "CreateModel", requestId: "" };

/** A log that counts how often it is read, and fails when it is told to. */
class CountedChanges extends ChangeStore {
  readCount = 0;
  failure: Error | undefined;

  override oldest(...parameters: Parameters<ChangeStore["oldest"]>) {
    this.readCount++;
    return this.failure === undefined ? super.oldest(...parameters) : Promise.reject(this.failure);
  }
}

describe("changes that are followed", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let database: Database;
  let changes: CountedChanges;
  let clock: ManualClock;
  let over: AbortController;

  beforeEach(async () => {
    folder = await emptyFolder();
    database = await Database.open({ kind: "embedded", folder: folder.path }, systemClock);
    changes = new CountedChanges(database);
    clock = new ManualClock();
    over = new AbortController();
  });

  afterEach(async () => {
    await database.close();
    await folder.remove();
  });

  const change = (count: number) =>
    database.change(actor, 0, async (transaction) => {
      for (let made = 0; made < count; made++) {
        transaction.record({ kind: "MODEL", resource: "models/m", model: "m", before: undefined, after: {} });
      }
    });
  const follow = () => changesBehind(0, everything, { database, changes, clock }, over.signal);

  it("are read a page at a time, and no further than they are taken", async () => {
    await change(1);
    const following = follow();
    await following.next();
    for (let count = 0; count < 20; count++) await change(100);
    expect(changes.readCount).to.equal(1);
    for (let sequence = 2; sequence <= 101; sequence++) {
      expect((await following.next()).value).to.include({ sequence });
      expect(changes.readCount).to.equal(2);
    }
    for (let sequence = 102; sequence <= 2001; sequence++) {
      expect((await following.next()).value).to.include({ sequence });
    }
    expect(changes.readCount).to.equal(21);
    await following.return(undefined);
  });

  it("are asked for again where the database is away, until it is back", async () => {
    await change(1);
    const following = follow();
    await following.next();
    changes.failure = new ServiceError("SERVICE_UNAVAILABLE", "the database is away");
    const next = following.next();
    await change(1);
    for (let failed = 0; failed < 3; failed = changes.readCount - 1) {
      await new Promise(setImmediate);
      clock.advance(500);
    }
    changes.failure = undefined;
    clock.advance(500);
    expect((await next).value).to.include({ sequence: 2 });
    await following.return(undefined);
  });

  it("end with any other failure, and with the signal's reason", async () => {
    changes.failure = new Error("a defect");
    expect(await failureOf(follow().next())).to.equal(changes.failure);
    changes.failure = undefined;
    const waiting = follow().next();
    over.abort(new Error("over"));
    expect(await failureOf(waiting)).to.equal(over.signal.reason);
  });
});

function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (failure: unknown) => failure,
  );
}
