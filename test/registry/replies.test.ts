import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { Encoded } from "../../lib/rpc/encoded.ts";
import { decodeMessage } from "../../lib/rpc/protos.ts";
import { Replies } from "../../services/registry/replies.ts";
import { Database } from "../../services/registry/store/database.ts";
import { ModelStore } from "../../services/registry/store/models.ts";
import { emptyFolder } from "./running-registry.ts";

const type = "amaas.registry.v1.Model";
const actor = { principal: "anonymous", call: "UpdateModel", requestId: "" };
const fields = { owner: "", description: "", tags: {}, compatibility: "NONE" } as const;

describe("replies that the registry keeps in memory", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let database: Database;
  let models: ModelStore;
  let readCount: number;

  beforeEach(async () => {
    folder = await emptyFolder();
    database = await Database.open({ kind: "embedded", folder: folder.path }, systemClock);
    models = new ModelStore(database, systemClock);
    for (const id of ["a", "b"]) await models.create(actor, id, fields);
    readCount = 0;
  });

  afterEach(async () => {
    await database.close();
    await folder.remove();
  });

  const asked = (replies: Replies, id: string) =>
    replies.of(type, `models/${id}`, async () => {
      readCount++;
      const { owner } = await models.get(id);
      return { name: `models/${id}`, owner };
    });
  const owner = async (replies: Replies, id: string) => {
    const reply = await asked(replies, id);
    if (!(reply instanceof Encoded)) throw new Error("the reply is not encoded");
    return decodeMessage<{ owner: string }>("registry", type, reply.bytes).owner;
  };
  const change = (id: string, value: string) => models.update(actor, id, { owner: value }, "");

  it("are read once, and then answered at once", async () => {
    const replies = new Replies(database, 10_000);
    expect(await owner(replies, "a")).to.equal("");
    expect(asked(replies, "a")).to.be.instanceOf(Encoded);
    expect(readCount).to.equal(1);
  });

  it("are dropped by a change of their model, and of no other, before the change is acknowledged", async () => {
    const replies = new Replies(database, 10_000);
    for (const id of ["a", "b"]) await owner(replies, id);
    await change("a", "new");
    expect(await owner(replies, "a")).to.equal("new");
    expect(await owner(replies, "b")).to.equal("");
    expect(readCount).to.equal(3);
  });

  it("are not kept where a change came while they were read", async () => {
    const replies = new Replies(database, 10_000);
    const old = await replies.of(type, "models/a", async () => {
      const { owner: before } = await models.get("a");
      await change("a", "new");
      return { owner: before };
    });
    expect(old).to.be.instanceOf(Encoded);
    expect(await owner(replies, "a")).to.equal("new");
  });

  it("are as many as there is room for; the one that was asked for longest ago goes first", async () => {
    const replies = new Replies(database, 1300);
    await models.create(actor, "c", fields);
    for (const id of ["a", "b", "a", "c"]) await owner(replies, id);
    expect(readCount).to.equal(3);
    await owner(replies, "a");
    expect(readCount).to.equal(3);
    await owner(replies, "b");
    expect(readCount).to.equal(4);
  });

  it("are none where there is no room for any", async () => {
    const replies = new Replies(database, 0);
    for (let count = 1; count <= 3; count++) {
      await owner(replies, "a");
      expect(readCount).to.equal(count);
    }
  });
});
