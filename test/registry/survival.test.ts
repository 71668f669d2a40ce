import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import type { Version__Output } from "../../lib/gen/amaas/registry/v1/Version.ts";
import { Random } from "../../lib/random.ts";
import { artifactName, versionName } from "../../lib/resource-names.ts";
import { addingModel } from "./onnx-files.ts";
import { type RegistryProcess, spawnRegistry } from "./registry-process.ts";
import {
  clientsOf,
  emptyFolder,
  faultOf,
  type RunningRegistry,
  sha256Of,
  startRegistry,
  upload,
} from "./running-registry.ts";

type Registry = ReturnType<typeof clientsOf>["registry"];

/** AMAAS_TEST_KILLS sets another one. */
const killCount = Number(process.env.AMAAS_TEST_KILLS ?? 20);

/** Whoever dies in the midst of a validation has tried it: a model must not take the registry along for ever. */
const settings = { AMAAS_VALIDATION_ATTEMPTS_MAX: String(killCount) };

/** What the registry has acknowledged to a writer of a model, and what the writer may have asked for besides. */
interface Writer {
  readonly model: string;
  /** Its versions have all the same file, so that each is READY at once. */
  readonly isKnown: boolean;
  readonly artifacts: string[];
  /** Numbers by request id, and by the revision of the alias. */
  readonly versions: Map<string, number>;
  readonly moves: Map<number, number>;
}

describe("a registry that is killed", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RegistryProcess | undefined;
  let last: RunningRegistry | undefined;

  beforeEach(async () => {
    folder = await emptyFolder();
  });

  afterEach(async () => {
    await running?.kill();
    running = undefined;
    await last?.stop();
    last = undefined;
    await folder.remove();
  });

  it(`${killCount} times has lost nothing that it acknowledged, shows no half version and leaves no orphan`, async function () {
    this.timeout(600_000);
    const random = new Random(7, "kills");
    const writers = ["known", "new", "also-new"].map((model): Writer => {
      return { model, isKnown: model === "known", artifacts: [], versions: new Map(), moves: new Map() };
    });
    running = await spawnRegistry(folder.path, settings);
    await makeKnown(running, writers[0]!);
    for (let round = 0; round < killCount; round++) {
      running = await spawnRegistry(folder.path, settings);
      const { registry, close } = clientsOf(running.address);
      for (const writer of writers) await expectNewest(registry, writer);
      await writeUntilKilled(registry, writers, running, 1 + Math.floor(random.uniform() * 15));
      close();
    }
    // Long after everything that a collector spares.
    const later = { ...systemClock, now: () => Date.now() + 1000 * 60 * 60 * 48 };
    last = await startRegistry(folder.path, settings, later);
    for (const writer of writers) await expectKept(last.registry, writer);
    await expectWholeLog(last.registry);
    await expectNoOrphans(last.registry, folder.path);
    expect(writers.map(({ moves }) => moves.size).reduce((a, b) => a + b)).to.be.above(killCount);
  });

  it("gives its folder free at once, and a living one does not", async function () {
    this.timeout(120_000);
    running = await spawnRegistry(folder.path);
    const refusal = await spawnRegistry(folder.path).catch((failure: Error) => failure.message);
    expect(refusal)
      .to.contain("exit code 1")
      .and.contain(`another registry uses ${join(folder.path, "registry")}`);
    await running.kill();
    running = await spawnRegistry(folder.path);
    expect(await running.stop()).to.equal(0);
  });
});

/** What is registered from here on is READY at once, however short the registry lives. */
async function makeKnown(running: RegistryProcess, writer: Writer): Promise<void> {
  const { registry, close } = clientsOf(running.address);
  const artifact = await upload(registry, fileOf(writer, 0));
  writer.artifacts.push(artifact);
  const { name } = await createVersion(registry, writer, artifact, "first");
  writer.versions.set("first", Number(name.split("/").at(-1)));
  close();
  await running.kill();
}

/** Uploads, registers and points with all writers at once; kills the process in the midst of it. */
async function writeUntilKilled(
  registry: Registry,
  writers: readonly Writer[],
  running: RegistryProcess,
  callCount: number,
): Promise<void> {
  let callsLeft = callCount;
  let killed: Promise<void> | undefined;
  const answered = () => {
    if (--callsLeft === 0) killed = running.kill();
  };
  const write = async (writer: Writer) => {
    for (;;) {
      const count = writer.versions.size + 1;
      const addend = writer.isKnown ? 0 : count;
      const artifact = await upload(registry, fileOf(writer, addend), 50);
      writer.artifacts.push(artifact);
      answered();
      const requestId = `${writer.model}-${count}`;
      const { name } = await createVersion(registry, writer, artifact, requestId);
      const number = Number(name.split("/").at(-1));
      writer.versions.set(requestId, number);
      answered();
      const { revision } = await point(registry, writer, number);
      writer.moves.set(revision, number);
      answered();
    }
  };
  await Promise.all(writers.map((writer) => faultOf(write(writer))));
  expect(callsLeft).to.be.at.most(0);
  await killed;
}

/** Each writer's files are its own. */
function fileOf({ model }: Writer, addend: number): Uint8Array {
  return addingModel(addend + model.length / 1000);
}

/** Only known files are waited for. */
function createVersion(registry: Registry, { model, isKnown }: Writer, artifact: string, requestId: string) {
  const version = { variants: [{ artifact }] };
  const request = { parent: `models/${model}`, version, requestId, allowMissingModel: true, noWait: !isKnown };
  return registry.unary("CreateVersion", request, { timeoutMs: 20_000 });
}

function point(registry: Registry, { model, isKnown }: Writer, version: number) {
  const alias = { name: aliasOf(model), targets: [{ version }] };
  return registry.unary("UpdateAlias", { alias, allowMissing: true, force: !isKnown }, { timeoutMs: 10_000 });
}

const aliasOf = (model: string) => `models/${model}/aliases/default`;

/** What was acknowledged last is there, and what was asked for after it at most. */
async function expectNewest(registry: Registry, { model, artifacts, versions, moves }: Writer): Promise<void> {
  if (artifacts.length > 0) {
    expect((await registry.unary("QueryUpload", { name: artifacts.at(-1)! })).complete).to.equal(true);
  }
  if (versions.size > 0)
    await registry.unary("GetVersion", { name: versionName(model, [...versions.values()].at(-1)!) });
  if (moves.size > 0) {
    const { revision } = await registry.unary("GetAlias", { name: aliasOf(model) });
    expect(revision).to.be.at.least([...moves.keys()].at(-1)!);
  }
}

/** Everything that was ever acknowledged is there, whole, and nothing else but what was on its way at a kill. */
async function expectKept(registry: Registry, writer: Writer): Promise<void> {
  const { model, artifacts, versions, moves } = writer;
  for (const name of new Set(artifacts)) {
    const chunks: Buffer[] = [];
    for await (const { chunk } of registry.serverStream("DownloadArtifact", { name })) chunks.push(chunk);
    expect(artifactName(sha256Of(Buffer.concat(chunks)))).to.equal(name);
  }
  const listed = await settledVersions(registry, model);
  expect(listed.map(({ name }) => name)).to.deep.equal(
    listed.map((_, index) => versionName(model, listed.length - index)),
  );
  expect(listed.length - versions.size).to.be.within(0, 1);
  for (const { state, stateReason, signature, variants, sizeBytes } of listed) {
    expect({ state, stateReason }).to.deep.equal({ state: "VERSION_STATE_READY", stateReason: "" });
    expect(signature?.inputs).to.have.length(1);
    expect(variants).to.have.length(1);
    expect(sizeBytes).to.be.above(0);
  }
  for (const [requestId, number] of versions) {
    const artifact = listed.find(({ name }) => name === versionName(model, number))!.variants[0]!.artifact;
    const { name } = await createVersion(registry, writer, artifact, requestId);
    expect(name).to.equal(versionName(model, number));
  }
  const history = await registry.unary("ListAliasRevisions", { name: aliasOf(model), pageSize: 1000 });
  const targets = new Map(history.revisions.map(({ revision, targets: [target] }) => [revision, target?.version]));
  expect([...targets.keys()]).to.deep.equal([...targets.keys()].map((_, index) => targets.size - index));
  for (const [revision, number] of moves) expect(targets.get(revision), `revision ${revision}`).to.equal(number);
}

/** All versions of a model, once none is being validated any more. */
async function settledVersions(registry: Registry, model: string): Promise<readonly Version__Output[]> {
  for (const endMs = Date.now() + 60_000; ; ) {
    const { versions } = await registry.unary("ListVersions", { parent: `models/${model}`, pageSize: 1000 });
    if (!versions.some(({ state }) => state === "VERSION_STATE_VALIDATING")) return versions;
    if (Date.now() > endMs) throw new Error("versions are still being validated");
  }
}

async function expectWholeLog(registry: Registry): Promise<void> {
  let count = 0;
  const { changes } = await registry.unary("ListChanges", { pageSize: 1 });
  for await (const { sequence } of registry.serverStream("WatchCatalogue", {})) {
    expect(sequence).to.equal(++count);
    if (sequence === changes[0]?.sequence) return;
  }
}

/** The collector leaves the files of the versions, and nothing else. */
async function expectNoOrphans(registry: Registry, dataDir: string): Promise<void> {
  for await (const _ of registry.serverStream("CollectGarbage", {}));
  const { artifacts } = await registry.unary("ListArtifacts", { pageSize: 1000 });
  const folders = [join(dataDir, "registry", "artifacts"), join(dataDir, "registry", "incoming")];
  const files = (
    await Promise.all(folders.map((path) => readdir(path, { recursive: true, withFileTypes: true })))
  ).flat();
  expect(files.filter((entry) => entry.isFile())).to.have.length(artifacts.length);
}
