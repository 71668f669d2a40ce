import { readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { Artifact__Output } from "../../lib/gen/amaas/registry/v1/Artifact.ts";
import type { ScrubArtifactsResponse__Output } from "../../lib/gen/amaas/registry/v1/ScrubArtifactsResponse.ts";
import { timeMsOf } from "../../lib/timestamp.ts";
import { ManualClock } from "../manual-clock.ts";
import { byteStores, type OpenByteStore } from "./byte-stores.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { Inbox } from "./inbox.ts";
import { emptyFolder, faultOf, type RunningRegistry, sha256Of, startRegistry, upload } from "./running-registry.ts";

const combinations = [
  [catalogueStores[0]!, byteStores[0]!],
  [catalogueStores[1]!, byteStores[1]!],
] as const;

for (const [catalogue, store] of combinations)
  describe(`a scrub of the registry's artifacts (${catalogue.name}, ${store.name})`, () => {
    let folder: Awaited<ReturnType<typeof emptyFolder>>;
    let bytes: OpenByteStore;
    let settings: Readonly<Record<string, string>>;
    let running: RunningRegistry;
    let clock: ManualClock;
    let names: string[];
    const contents = [1, 2, 3].map((seed) => Buffer.alloc(1_000_000 * seed, seed));

    beforeEach(async function () {
      this.timeout(60_000);
      folder = await emptyFolder();
      bytes = await store.open(folder.path);
      settings = { ...bytes.settings, ...(await catalogue.settings()) };
      await start();
      names = [];
      for (const content of contents) names.push(await upload(running.registry, content));
    });

    afterEach(async () => {
      await running.stop();
      await folder.remove();
    });

    async function start(more: Readonly<Record<string, string>> = {}): Promise<void> {
      clock = new ManualClock();
      clock.advance(Date.now());
      running = await startRegistry(folder.path, { ...settings, ...more }, clock);
    }

    const get = (name: string) => running.registry.unary("GetArtifact", { name });
    const scrub = (request: object = {}) => running.registry.serverStream("ScrubArtifacts", request);
    const pathOf = async (content: Buffer) =>
      (await bytes.files()).find(({ sha256 }) => sha256 === sha256Of(content))!.path;

    async function scrubbed(request: object = {}) {
      const events: ScrubArtifactsResponse__Output[] = [];
      for await (const event of scrub(request)) events.push(event);
      return { corrupt: events.flatMap(({ corrupt }) => corrupt?.name ?? []), summary: events.at(-1)?.summary };
    }

    /** Lets time pass, and the registry work. */
    async function pass(ms: number): Promise<void> {
      clock.advance(ms);
      await running.registry.unary("ListArtifacts", {});
    }

    /** Settles once a scrub has told of its progress. */
    async function runs(inbox: Inbox<ScrubArtifactsResponse__Output>): Promise<void> {
      while (inbox.messages.length === 0) await pass(100);
    }

    it("reads every artifact and says when", async () => {
      expect((await get(names[0]!)).scrubTime).to.equal(null);
      clock.advance(5000);
      expect(await scrubbed()).to.deep.equal({
        corrupt: [],
        summary: { artifacts: 3, sizeBytes: 6_000_000, corrupt: 0 },
      });
      for (const name of names) {
        expect((await get(name)).scrubTime?.seconds).to.equal(Math.floor(clock.now() / 1000));
      }
    });

    it("names each artifact whose bytes are lost or wrong, marks it, and finds it until it is healed by an upload", async () => {
      await rm(await pathOf(contents[0]!));
      const path = await pathOf(contents[2]!);
      await writeFile(path, (await readFile(path)).fill(9, 1_500_000, 1_500_001));
      const lost = [names[0]!, names[2]!].sort();
      for (let round = 0; round < 2; round++) {
        const { corrupt, summary } = await scrubbed();
        expect(corrupt.sort()).to.deep.equal(lost);
        expect(summary).to.include({ artifacts: 3, corrupt: 2 });
      }
      const marked = await running.registry.unary("ListArtifacts", { state: "STATE_CORRUPT" });
      expect(marked.artifacts.map(({ name }) => name)).to.deep.equal(lost);
      const { changes } = await running.registry.unary("ListChanges", { resource: lost[0] });
      expect(changes[0]).to.deep.include({ principal: "registry", call: "VerifyArtifact" });
      expect(changes[0]?.after?.artifact?.state).to.equal("STATE_CORRUPT");
      for (const content of contents) await upload(running.registry, content);
      expect((await scrubbed()).summary).to.include({ corrupt: 0 });
    });

    it("heals what was only away for a while", async () => {
      const path = await pathOf(contents[1]!);
      await rename(path, `${path}-away`);
      expect(await scrubbed()).to.deep.include({ corrupt: [names[1]] });
      await rename(`${path}-away`, path);
      expect(await scrubbed()).to.deep.include({ corrupt: [] });
      expect((await get(names[1]!)).state).to.equal("STATE_STORED");
    });

    it("may pass over what was read lately", async () => {
      await scrubbed();
      clock.advance(60_000);
      const fresh = await upload(running.registry, Buffer.from("fresh"));
      expect((await scrubbed({ olderThan: { seconds: 61 } })).summary).to.include({ artifacts: 1 });
      expect((await get(fresh)).scrubTime).to.not.equal(null);
      clock.advance(1001);
      expect((await scrubbed({ olderThan: { seconds: 61 } })).summary).to.include({ artifacts: 3 });
      const fault = await faultOf(scrubbed({ olderThan: { seconds: -5 } }));
      expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      expect(fault.metadata.field).to.equal("older_than");
    });

    it("keeps to its bytes per second, tells how far it is every second, and runs alone", async () => {
      const begin = clock.now();
      const slow = new Inbox(scrub({ bytesPerSecondMax: 1_000_000 }));
      await runs(slow);
      expect(await faultOf(scrubbed())).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "QUEUE_FULL" });
      while (slow.ended === undefined) await pass(100);
      const elapsedMs = clock.now() - begin;
      expect(elapsedMs).to.be.at.least(5_000);
      const progress = slow.messages.flatMap((event) => event.progress?.sizeBytes ?? []);
      expect(progress.length).to.be.within(4, elapsedMs / 1000);
      expect(progress).to.deep.equal([...progress].sort((a, b) => a - b));
      expect((await scrubbed()).summary).to.include({ artifacts: 3 });
    });

    it("is refused a speed beyond the registry's own", async () => {
      for (const bytesPerSecondMax of [-1, 268_435_457]) {
        const fault = await faultOf(scrubbed({ bytesPerSecondMax }));
        expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      }
    });

    it("ends when its caller leaves, and makes room for the next one", async () => {
      const left = new AbortController();
      const slow = new Inbox(
        running.registry.serverStream("ScrubArtifacts", { bytesPerSecondMax: 1_000_000 }, { signal: left.signal }),
      );
      await runs(slow);
      left.abort();
      expect(await slow.end()).to.include({ code: status.CANCELLED });
      const next = () => scrubbed().catch((failure) => faultOf(Promise.reject(failure)));
      while (!("summary" in (await next())));
    });

    it("is done by the registry itself in intervals, where it is told to", async () => {
      await running.stop();
      await rm(await pathOf(contents[0]!));
      await start({ AMAAS_SCRUB_INTERVAL_MS: "3600000" });
      while ((await get(names[0]!)).state !== "STATE_CORRUPT");
      while ((await get(names[1]!)).scrubTime === null || (await get(names[2]!)).scrubTime === null);
    });

    it("goes on after a restart in the midst of it, with what it has not read yet", async () => {
      const own = { AMAAS_SCRUB_INTERVAL_MS: "3600000", AMAAS_SCRUB_BYTES_PER_SECOND_MAX: "1000000" };
      const read = async () => (await running.registry.unary("ListArtifacts", {})).artifacts.map(readMs);
      const readMs = ({ scrubTime }: Artifact__Output) => (scrubTime === null ? undefined : timeMsOf(scrubTime));
      await running.stop();
      await start(own);
      while (!(await read()).some((ms) => ms !== undefined)) await pass(100);
      const before = await read();
      expect(before).to.include(undefined);
      await running.stop();
      running = await startRegistry(folder.path, { ...settings, ...own }, clock);
      // Less than an interval.
      const begin = clock.now();
      while ((await read()).includes(undefined)) await pass(100);
      expect(clock.now() - begin).to.be.below(60_000);
      expect(await read()).to.include(before.find((ms) => ms !== undefined));
    });
  });

describe("a scrub of artifacts in files", () => {
  it("takes what the disk cannot give back for lost", async function () {
    // Whose first byte nobody can read.
    const unreadable = "/proc/self/mem";
    if ((await readFile(unreadable).catch(({ code }) => code)) !== "EIO") this.skip();
    const folder = await emptyFolder();
    const { files } = await byteStores[0]!.open(folder.path);
    const running = await startRegistry(folder.path);
    const name = await upload(running.registry, Buffer.from("content"));
    const [{ path } = { path: "" }] = await files();
    await rm(path);
    await symlink(unreadable, path);
    const corrupt: string[] = [];
    for await (const event of running.registry.serverStream("ScrubArtifacts", {})) {
      if (event.corrupt) corrupt.push(event.corrupt.name);
    }
    expect(corrupt).to.deep.equal([name]);
    await running.stop();
    await folder.remove();
  });
});
