import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { describeOnEachStore } from "./each-store.ts";
import { Inbox } from "./inbox.ts";
import { faultOf, startRegistry, upload } from "./running-registry.ts";

describeOnEachStore("a watch of the catalogue", (own) => {
  const left: AbortController[] = [];

  afterEach(() => {
    for (const controller of left.splice(0)) controller.abort();
  });

  const create = (modelId: string) => own.running.registry.unary("CreateModel", { modelId });

  function watch(request: object = {}) {
    const controller = new AbortController();
    left.push(controller);
    return new Inbox(own.running.registry.serverStream("WatchCatalogue", request, { signal: controller.signal }));
  }
  type Watching = ReturnType<typeof watch>;
  const numbers = (inbox: Watching) => inbox.messages.map(({ sequence }) => sequence);
  /** Settles once exactly these changes have come. */
  const hears = (inbox: Watching, ...sequences: number[]) =>
    inbox.until(`changes ${sequences}, only ${numbers(inbox)}`, () => String(numbers(inbox)) === String(sequences));

  it("hears everything that ever changed, oldest first, and then what changes", async () => {
    for (const id of ["a", "b"]) await create(id);
    const inbox = watch();
    await hears(inbox, 1, 2);
    await create("c");
    await hears(inbox, 1, 2, 3);
    const { changes } = await own.running.registry.unary("ListChanges", {});
    expect(inbox.messages).to.deep.equal(changes.reverse());
  });

  it("goes on behind any number", async () => {
    for (const id of ["a", "b", "c"]) await create(id);
    const inbox = watch({ afterSequence: 2 });
    await create("d");
    await hears(inbox, 3, 4);
    await hears(watch({ afterSequence: 4 }));
  });

  it("hears only what is new where that is asked for", async () => {
    await create("a");
    const inbox = watch({ onlyNew: true });
    // It may begin after the first of these, but not much later.
    for (let count = 2; inbox.messages.length === 0 && count < 1000; count++) await create(`m${count}`);
    expect(numbers(inbox)[0]).to.be.above(1);
  });

  it("hears only of some resources and kinds where that is asked for", async () => {
    const [ofModel, ofArtifacts] = [
      watch({ resource: "models/b" }),
      watch({ kinds: ["RESOURCE_KIND_ARTIFACT", "RESOURCE_KIND_HOLD"] }),
    ];
    for (const id of ["a", "b"]) await create(id);
    await upload(own.running.registry, Buffer.from("bytes"));
    await own.running.registry.unary("DeleteModel", { name: "models/b" });
    await hears(ofModel, 2, 4);
    await hears(ofArtifacts, 3);
  });

  it("is refused behind a number that there is not, for a name that is none and a kind that is none", async () => {
    await create("a");
    for (const request of [
      { afterSequence: 2 },
      { afterSequence: -1 },
      { resource: "digits" },
      { kinds: ["RESOURCE_KIND_UNSPECIFIED"] },
    ]) {
      const replies = own.running.registry.serverStream("WatchCatalogue", request as object);
      const fault = await faultOf(replies.next());
      expect(fault, JSON.stringify(request)).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
  });

  it("misses nothing and repeats nothing while many change something", async () => {
    const inbox = watch();
    await Promise.all(Array.from({ length: 100 }, (_, index) => create(`m${index}`)));
    await hears(inbox, ...Array.from({ length: 100 }, (_, index) => index + 1));
  });

  it("ends with UNAVAILABLE when the registry drains, and goes on at the next one", async () => {
    await create("a");
    const inbox = watch();
    await hears(inbox, 1);
    const stopped = own.running.stop();
    expect(await inbox.end()).to.include({ code: status.UNAVAILABLE });
    await stopped;
    own.running = await startRegistry(own.folder, own.settings);
    await create("b");
    await hears(watch({ afterSequence: 1 }), 2);
  });
});
