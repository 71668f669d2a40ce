import { expect } from "chai";
import { Random } from "../../lib/random.ts";
import { artifactName } from "../../lib/resource-names.ts";
import { ManualClock } from "../manual-clock.ts";
import { byteStores, type OpenByteStore, s3Server } from "./byte-stores.ts";
import { catalogueStores } from "./catalogue-stores.ts";
import { emptyFolder, faultOf, type RunningRegistry, sha256Of, startRegistry, upload } from "./running-registry.ts";

const dayMs = 24 * 3_600_000;
const [files, s3] = byteStores as [(typeof byteStores)[0], (typeof byteStores)[0]];

function realClock(): ManualClock {
  const clock = new ManualClock();
  clock.advance(Date.now());
  return clock;
}

async function collect({ registry }: RunningRegistry, seconds: number): Promise<void> {
  for await (const _ of registry.serverStream("CollectGarbage", { gracePeriod: { seconds } }));
}

async function download({ registry }: RunningRegistry, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const { chunk } of registry.serverStream("DownloadArtifact", { name })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const hold = ({ registry }: RunningRegistry, resource: string) =>
  registry.unary("HoldResource", { resource, holder: "jobs/1", duration: { seconds: 1e6 } });

for (const catalogue of catalogueStores)
  describe(`a collector that could not finish (${catalogue.name})`, () => {
    let folder: Awaited<ReturnType<typeof emptyFolder>>;
    let bytes: OpenByteStore;
    let settings: Readonly<Record<string, string>>;
    let running: RunningRegistry;
    let name: string;
    const content = Buffer.from("content");

    // The server of the bytes goes away between the mark and the removal.
    beforeEach(async function () {
      this.timeout(60_000);
      folder = await emptyFolder();
      bytes = await s3.open(folder.path);
      settings = { ...bytes.settings, ...(await catalogue.settings()), AMAAS_S3_ATTEMPTS_MAX: "1" };
      const clock = realClock();
      running = await startRegistry(folder.path, settings, clock);
      name = await upload(running.registry, content);
      clock.advance(dayMs + 1);
      await (await s3Server()).kill();
      expect(await faultOf(collect(running, 60))).to.include({ reason: "SERVICE_UNAVAILABLE" });
    });

    afterEach(async () => {
      await (await s3Server()).kill();
      await (await s3Server()).start();
      await running.stop();
      await folder.remove();
    });

    const state = () => running.registry.unary("GetArtifact", { name }).then((artifact) => artifact.state);

    it("leaves an artifact that is shown as what it is, and refused to everybody", async () => {
      expect(await state()).to.equal("STATE_COLLECTING");
      for (const call of [() => hold(running, name), () => download(running, name)]) {
        expect(await faultOf(call())).to.include({ reason: "ARTIFACT_COLLECTING" });
      }
      const { committedBytes, complete } = await running.registry.unary("QueryUpload", { name });
      expect({ committedBytes, complete }).to.deep.equal({ committedBytes: 0, complete: false });
    });

    it("is finished by the next run", async () => {
      await (await s3Server()).start();
      await collect(running, 1e6);
      expect(await faultOf(state())).to.include({ reason: "ARTIFACT_NOT_FOUND" });
      expect(await bytes.files()).to.deep.equal([]);
    });

    it("is finished by the next start, also where registries never collect by themselves", async () => {
      await running.stop();
      await (await s3Server()).start();
      running = await startRegistry(folder.path, settings, realClock());
      while ((await state().catch(() => "gone")) !== "gone");
      expect(await bytes.files()).to.deep.equal([]);
    });

    it("does not hinder an upload, which brings the artifact back for good", async () => {
      await (await s3Server()).start();
      await upload(running.registry, content);
      expect(await state()).to.equal("STATE_STORED");
      await collect(running, 60);
      expect((await download(running, name)).equals(content)).to.equal(true);
      expect(await bytes.files()).to.have.length(1);
    });
  });

for (const catalogue of catalogueStores)
  describe(`a registry that collects by itself (${catalogue.name})`, () => {
    it("does so in intervals, which a restart does not begin anew", async function () {
      this.timeout(60_000);
      const folder = await emptyFolder();
      const bytes = await files.open(folder.path);
      const settings = { ...(await catalogue.settings()), AMAAS_GC_INTERVAL_MS: "3600000", AMAAS_GC_GRACE_MS: "60000" };
      const clock = realClock();
      let running = await startRegistry(folder.path, settings, clock);
      // The first turn is at once, with nothing to collect.
      for (let passed = 0; passed < 3_540_000; passed += 10_000) {
        if (passed === 1_800_000) await upload(running.registry, Buffer.from("content"));
        clock.advance(10_000);
        await running.registry.unary("ListArtifacts", {});
      }
      await running.stop();
      running = await startRegistry(folder.path, settings, clock);
      expect(await bytes.files()).to.have.length(1);
      while ((await bytes.files()).length > 0) {
        clock.advance(60_000);
        await running.registry.unary("ListArtifacts", {});
      }
      const { changes } = await running.registry.unary("ListChanges", { call: "CollectGarbage" });
      expect(changes.map(({ principal }) => principal)).to.include("registry");
      await running.stop();
      await folder.remove();
    });
  });

const races = [
  { catalogue: catalogueStores[0]!, store: files, registryCount: 1 },
  { catalogue: catalogueStores[1]!, store: s3, registryCount: 2 },
];
for (const { catalogue, store, registryCount } of races)
  describe(`collectors of ${registryCount} registries (${catalogue.name}, ${store.name})`, () => {
    let folders: Awaited<ReturnType<typeof emptyFolder>>[];
    let running: RunningRegistry[];
    let bytes: OpenByteStore;
    let clock: ManualClock;

    beforeEach(async function () {
      this.timeout(60_000);
      folders = [await emptyFolder(), await emptyFolder()].slice(0, registryCount);
      bytes = await store.open(folders[0]!.path);
      const settings = { ...bytes.settings, ...(await catalogue.settings()) };
      clock = realClock();
      running = [];
      for (const { path } of folders) running.push(await startRegistry(path, settings, clock));
    });

    afterEach(async () => {
      for (const registry of running) await registry.stop();
      for (const folder of folders) await folder.remove();
    });

    it("take nothing that somebody holds or has uploaded at the same moment, and leave nothing else", async function () {
      this.timeout(60_000);
      const random = new Random(3, "races");
      const any = () => running[random.below(running.length)]!;
      const held = new Set<string>();
      for (let round = 0; round < 5; round++) {
        const contents = Array.from({ length: 12 }, (_, index) => Buffer.from(`content ${round} ${index}`));
        await Promise.all(contents.map((content) => upload(any().registry, content)));
        clock.advance(60_001);
        const uploaded: string[] = [];
        const use = async (content: Buffer, index: number) => {
          const name = artifactName(sha256Of(content));
          // Some before, some while and some after the collectors are at it.
          for (let delay = random.below(20); delay > 0; delay--) await any().registry.unary("QueryUpload", { name });
          if (index % 2 === 0) uploaded.push(await upload(any().registry, content));
          else await hold(any(), name).then(() => held.add(name), expectGone);
        };
        await Promise.all([...running.map((registry) => collect(registry, 60)), ...contents.map(use)]);
        for (const name of [...uploaded, ...held]) {
          expect(artifactName(sha256Of(await download(any(), name)))).to.equal(name);
        }
      }
      clock.advance(2 * dayMs);
      await collect(any(), 60);
      expect((await bytes.files()).map(({ sha256 }) => artifactName(sha256))).to.deep.equal([...held].sort());
    });
  });

/** What a hold is told that came too late. */
async function expectGone(failure: unknown): Promise<void> {
  const { reason } = await faultOf(Promise.reject(failure));
  expect(reason).to.be.oneOf(["ARTIFACT_NOT_FOUND", "ARTIFACT_COLLECTING"]);
}
