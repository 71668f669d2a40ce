import { randomBytes } from "node:crypto";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { CollectGarbageResponse__Output } from "../../lib/gen/amaas/registry/v1/CollectGarbageResponse.ts";
import { artifactName } from "../../lib/resource-names.ts";
import { ManualClock } from "../manual-clock.ts";
import { byteStores, type OpenByteStore } from "./byte-stores.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { addingModel } from "./onnx-files.ts";
import {
  emptyFolder,
  faultOf,
  publish,
  type RunningRegistry,
  sha256Of,
  startRegistry,
  upload,
} from "./running-registry.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

for (const catalogue of catalogueStores)
  for (const store of byteStores)
    describe(`garbage of the registry (${catalogue.name}, ${store.name})`, () => {
      let folder: Awaited<ReturnType<typeof emptyFolder>>;
      let bytes: OpenByteStore;
      let settings: Readonly<Record<string, string>>;
      let running: RunningRegistry;
      let clock: ManualClock;
      const contents = [1, 2, 3].map((seed) => Buffer.alloc(1000 * seed, seed));

      async function start(more: Readonly<Record<string, string>> = {}): Promise<void> {
        clock = new ManualClock();
        clock.advance(Date.now());
        running = await startRegistry(folder.path, { ...settings, ...more }, clock);
      }

      beforeEach(async function () {
        this.timeout(60_000);
        folder = await emptyFolder();
        bytes = await store.open(folder.path);
        settings = { ...bytes.settings, ...(await catalogue.settings()) };
        await start();
      });

      afterEach(async () => {
        await running.stop();
        await folder.remove();
      });

      async function collect(request: object = {}) {
        const events: CollectGarbageResponse__Output[] = [];
        for await (const event of running.registry.serverStream("CollectGarbage", request)) events.push(event);
        const summary = events.pop()?.summary;
        return { names: events.map(({ artifact }) => artifact?.name), summary };
      }

      const stored = async () => (await bytes.files()).map(({ sha256 }) => artifactName(sha256));
      const listed = async () => {
        const { artifacts } = await running.registry.unary("ListArtifacts", {});
        return artifacts.map(({ name }) => name);
      };
      const hold = (resource: string, seconds: number) =>
        running.registry.unary("HoldResource", { resource, holder: "jobs/1", duration: { seconds } });

      async function uploadAll(): Promise<string[]> {
        const names: string[] = [];
        for (const content of contents) names.push(await upload(running.registry, content));
        return names.sort();
      }

      it("goes once it is old enough: each artifact is told, and its bytes are gone", async () => {
        const names = await uploadAll();
        clock.advance(dayMs);
        expect(await collect()).to.deep.equal({ names: [], summary: { artifacts: 0, sizeBytes: 0, orphans: 0 } });
        clock.advance(1);
        expect(await collect()).to.deep.equal({ names, summary: { artifacts: 3, sizeBytes: 6000, orphans: 0 } });
        expect(await stored()).to.deep.equal([]);
        expect(await listed()).to.deep.equal([]);
        for (const name of names) {
          expect(await faultOf(running.registry.unary("GetArtifact", { name }))).to.include({
            reason: "ARTIFACT_NOT_FOUND",
          });
        }
        expect(await uploadAll()).to.deep.equal(names);
      });

      it("is in the log of changes as it is marked and as it goes", async () => {
        const [name] = await uploadAll();
        clock.advance(2 * dayMs);
        await collect();
        const { changes } = await running.registry.unary("ListChanges", { resource: name });
        const states = changes.map(({ call, before, after }) => [
          call,
          before?.artifact?.state,
          after?.artifact?.state,
        ]);
        expect(states).to.deep.equal([
          ["CollectGarbage", "STATE_COLLECTING", undefined],
          ["CollectGarbage", "STATE_STORED", "STATE_COLLECTING"],
          ["UploadArtifact", undefined, "STATE_STORED"],
        ]);
      });

      it("is only listed by a dry run", async () => {
        const names = await uploadAll();
        clock.advance(2 * dayMs);
        const found = { names, summary: { artifacts: 3, sizeBytes: 6000, orphans: 0 } };
        expect(await collect({ dryRun: true })).to.deep.equal(found);
        expect(await listed()).to.deep.equal(names);
        expect(await collect()).to.deep.equal(found);
      });

      it("is not what a version uses, until the version has been deleted for as long as the grace lasts", async function () {
        this.timeout(120_000);
        const { name, variants } = await publish(running.registry, "m", addingModel(1));
        const { artifact } = variants[0]!;
        clock.advance(2 * dayMs);
        expect(await collect()).to.deep.include({ names: [] });
        await running.registry.unary("DeprecateVersion", { name });
        await running.registry.unary("DeleteVersion", { name });
        // Nodes may still be loading it.
        expect(await collect()).to.deep.include({ names: [] });
        clock.advance(2 * dayMs);
        expect(await collect()).to.deep.include({ names: [artifact] });
        expect(await stored()).to.deep.equal([]);
      });

      it("is not what somebody holds, until the hold has expired for as long as the grace lasts", async () => {
        const [held, ...others] = await uploadAll();
        clock.advance(2 * dayMs);
        await hold(held!, 3600);
        expect(await collect()).to.deep.include({ names: others });
        clock.advance(hourMs + dayMs);
        expect(await collect()).to.deep.include({ names: [] });
        clock.advance(1);
        expect(await collect()).to.deep.include({ names: [held] });
      });

      it("is spared so also where later holds have removed the one that expired", async () => {
        const [held, other] = await uploadAll();
        clock.advance(2 * dayMs);
        await hold(held!, 3600);
        clock.advance(2 * hourMs);
        await hold(other!, 1e6);
        clock.advance(dayMs - hourMs);
        expect((await collect()).names).to.not.include(held);
        clock.advance(1);
        expect(await collect()).to.deep.include({ names: [held] });
      });

      it("is not what was held, for as long as the grace lasts from the moment of the release", async () => {
        const [held] = await uploadAll();
        await hold(held!, 30 * 24 * 3600);
        clock.advance(2 * dayMs);
        await running.registry.unary("ReleaseHold", { resource: held!, holder: "jobs/1" });
        clock.advance(dayMs);
        expect((await collect()).names).to.not.include(held);
        clock.advance(1);
        expect(await collect()).to.deep.include({ names: [held] });
      });

      it("is not what was uploaded again lately", async () => {
        const [name, ...others] = await uploadAll();
        clock.advance(2 * dayMs);
        for (const content of contents)
          if (artifactName(sha256Of(content)) === name) await upload(running.registry, content);
        expect(await collect()).to.deep.include({ names: others });
        expect(await collect({ gracePeriod: { seconds: 60 } })).to.deep.include({ names: [] });
        clock.advance(minuteMs + 1);
        expect(await collect({ gracePeriod: { seconds: 60 } })).to.deep.include({ names: [name] });
      });

      it("is no artifact that may have just come: a grace of less than a minute is refused", async () => {
        const fault = await faultOf(collect({ gracePeriod: { seconds: 59, nanos: 999_999_999 } }));
        expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      });

      it("are also bytes that belong to no artifact, once they are old enough, and nothing that is not ours", async () => {
        await uploadAll();
        const [{ path } = { path: "" }] = await bytes.files();
        const [, suffix] = /\.[0-9a-f]{16}(.*)$/.exec(path) ?? [];
        const sha256 = sha256Of(Buffer.from("orphan"));
        const orphan = join(
          dirname(path),
          "..",
          sha256.slice(0, 2),
          `${sha256}.${randomBytes(8).toString("hex")}${suffix}`,
        );
        const foreign = join(dirname(path), "..", `notes${suffix}`);
        await mkdir(dirname(orphan), { recursive: true });
        for (const each of [orphan, foreign]) {
          await writeFile(each, "orphan");
          // Servers tell the age in whole seconds.
          await utimes(each, new Date(clock.now() - 5000), new Date(clock.now() - 5000));
        }
        clock.advance(hourMs - 6000);
        const request = { gracePeriod: { seconds: 3600 } };
        expect((await collect(request)).summary).to.include({ orphans: 0 });
        clock.advance(5000);
        expect((await collect({ ...request, dryRun: true })).summary).to.include({ orphans: 1 });
        expect(await collect(request)).to.deep.equal({
          names: [],
          summary: { artifacts: 0, sizeBytes: 0, orphans: 1 },
        });
        expect(await stored()).to.have.length(contents.length + 1);
        expect((await collect(request)).summary).to.include({ orphans: 0 });
      });
    });
