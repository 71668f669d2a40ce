import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { describeOnEachStore } from "./each-store.ts";
import { faultOf } from "./running-registry.ts";

describeOnEachStore("a list of models", (own) => {
  const create = (modelId: string, model = {}) => own.running.registry.unary("CreateModel", { modelId, model });

  /** The ids of all models that filters find, read two at a time. */
  async function listed(filters: object = {}): Promise<string[]> {
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await own.running.registry.unary("ListModels", { ...filters, pageSize: 2, pageToken });
      expect(page.models.length).to.be.at.most(2);
      seen.push(...page.models.map(({ name }) => name.replace("models/", "")));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return seen;
  }

  it("has each once, page by page, in the order of their names", async () => {
    const ids = ["b", "a", "c.1", "c-1", "d", "a1"];
    for (const id of ids) await create(id);
    expect(await listed()).to.deep.equal([...ids].sort());
  });

  it("has those that match all of: the beginning of the id, owner, tags", async () => {
    await create("digits", { owner: "a", tags: { task: "vision", size: "s" } });
    await create("digits-2", { owner: "b", tags: { task: "vision" } });
    await create("digits.3", { owner: "a", tags: { task: "text" } });
    await create("words", { owner: "a", tags: { task: "vision", size: "" } });
    for (const [filters, found] of [
      [{ idPrefix: "digits" }, ["digits", "digits-2", "digits.3"]],
      [{ idPrefix: "digits-" }, ["digits-2"]],
      [{ idPrefix: "Z" }, []],
      [{ owner: "a" }, ["digits", "digits.3", "words"]],
      [{ tags: { task: "vision" } }, ["digits", "digits-2", "words"]],
      [{ tags: { task: "" } }, ["digits", "digits-2", "digits.3", "words"]],
      [{ tags: { task: "vision", size: "" } }, ["digits", "words"]],
      [{ tags: { size: "", task: "vision" }, owner: "a", idPrefix: "d" }, ["digits"]],
      [{ tags: { task: "none" } }, []],
    ] as const) {
      expect(await listed(filters), JSON.stringify(filters)).to.deep.equal(found);
    }
    const model = { name: "models/words", tags: { task: "text" } };
    await own.running.registry.unary("UpdateModel", { model, updateMask: { paths: ["tags"] } });
    expect(await listed({ tags: { task: "text" } })).to.deep.equal(["digits.3", "words"]);
    expect(await listed({ tags: { size: "" } })).to.deep.equal(["digits"]);
  });

  it("does not go on with a page token of other filters", async () => {
    for (const id of ["a", "b", "c"]) await create(id, { tags: { x: "1", y: "2" } });
    const list = (filters: object, pageToken = "") =>
      own.running.registry.unary("ListModels", { pageSize: 1, pageToken, ...filters });
    const { nextPageToken } = await list({ tags: { x: "1", y: "2" } });
    for (const filters of [{}, { tags: { x: "1" } }, { tags: { x: "1", y: "2" }, showDeleted: true }]) {
      const fault = await faultOf(list(filters, nextPageToken));
      expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
    // The order of pairs means nothing, nor does the size of the page.
    const { models } = await list({ tags: { y: "2", x: "1" }, pageSize: 2 }, nextPageToken);
    expect(models.map(({ name }) => name)).to.deep.equal(["models/b", "models/c"]);
  });

  it("is refused by more than eight tags", async () => {
    const tags = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`key${index}`, ""]));
    const fault = await faultOf(own.running.registry.unary("ListModels", { tags }));
    expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
  });

  it("has 100 on a page where no page size is given", async () => {
    for (let index = 0; index < 101; index++) await create(`m${index}`);
    const page = await own.running.registry.unary("ListModels", {});
    expect(page.models).to.have.length(100);
    expect(page.nextPageToken).not.to.equal("");
  });

  it("is refused with a page size out of bounds, a page token of someone else, or a text that no id has", async () => {
    const requests = [{ pageSize: -1 }, { pageSize: 1001 }, { pageToken: "nonsense" }, { pageToken: "MQ==" }];
    for (const request of [...requests, { idPrefix: "\0" }]) {
      const fault = await faultOf(own.running.registry.unary("ListModels", request));
      expect(fault, JSON.stringify(request)).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
  });
});
