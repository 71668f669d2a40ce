import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { Random } from "../../lib/random.ts";
import { versionName } from "../../lib/resource-names.ts";
import { addingModel } from "./onnx-files.ts";
import { type RegistryProcess, spawnRegistry } from "./registry-process.ts";
import { clientsOf, emptyFolder, faultOf, point, sha256Of, upload } from "./running-registry.ts";

type Registry = ReturnType<typeof clientsOf>["registry"];

const roundCount = 3;
const writerCount = 3;

/** What the registry has acknowledged to a writer. */
interface Acknowledged {
  readonly model: string;
  readonly artifacts: string[];
  /** Names of versions by request id. */
  readonly versions: Map<string, string>;
  aliased: number;
}

describe("a registry that is killed", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RegistryProcess | undefined;

  beforeEach(async () => {
    folder = await emptyFolder();
  });

  afterEach(async () => {
    await running?.kill();
    await folder.remove();
  });

  it("has lost nothing that it acknowledged, and shows no half version", async function () {
    this.timeout(60_000);
    const random = new Random(7, "kills");
    const writers = Array.from({ length: writerCount }, (_, index): Acknowledged => {
      return { model: `m${index}`, artifacts: [], versions: new Map(), aliased: 0 };
    });
    for (let round = 0; round < roundCount; round++) {
      running = await spawnRegistry(folder.path);
      const { registry, close } = clientsOf(running.address);
      await Promise.all(writers.map((writer) => expectKept(registry, writer)));
      await writeUntilKilled(registry, writers, running, 5 + Math.floor(random.uniform() * 30));
      close();
    }
    running = await spawnRegistry(folder.path);
    const { registry, close } = clientsOf(running.address);
    for (const writer of writers) await expectKept(registry, writer);
    expect(await readdir(join(folder.path, "registry", "incoming"))).to.deep.equal([]);
    expect(writers.map(({ versions }) => versions.size).reduce((a, b) => a + b)).to.be.above(roundCount);
    close();
  });

  it("gives its folder free at once, and a living one does not", async function () {
    this.timeout(30_000);
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

/** Uploads, registers and points with all writers at once; kills the process in the midst of it. */
async function writeUntilKilled(
  registry: Registry,
  writers: readonly Acknowledged[],
  running: RegistryProcess,
  callCount: number,
): Promise<void> {
  let callsLeft = callCount;
  let killed: Promise<void> | undefined;
  const answered = () => {
    if (--callsLeft === 0) killed = running.kill();
  };
  const write = async (writer: Acknowledged) => {
    for (;;) {
      const requestId = `${writer.model}-${writer.versions.size + 1}`;
      const artifact = await upload(registry, addingModel(writer.artifacts.length), 50);
      writer.artifacts.push(artifact);
      answered();
      const { name } = await createVersion(registry, writer.model, artifact, requestId);
      writer.versions.set(requestId, name);
      answered();
      const { version } = await point(registry, writer.model, "default", writer.versions.size);
      writer.aliased = version;
      answered();
    }
  };
  await Promise.all(writers.map((writer) => faultOf(write(writer))));
  expect(callsLeft).to.be.at.most(0);
  await killed;
}

async function expectKept(registry: Registry, { model, artifacts, versions, aliased }: Acknowledged): Promise<void> {
  for (const name of artifacts) {
    const chunks: Buffer[] = [];
    for await (const { chunk } of registry.serverStream("DownloadArtifact", { name })) chunks.push(chunk);
    expect(`artifacts/${sha256Of(Buffer.concat(chunks))}`).to.equal(name);
  }
  for (const [index, [requestId, name]] of [...versions].entries()) {
    expect(name).to.equal(versionName(model, index + 1));
    const { artifact } = await registry.unary("GetVersion", { name });
    expect((await createVersion(registry, model, artifact, requestId)).name).to.equal(name);
  }
  if (aliased === 0) return;
  const alias = await registry.unary("GetAlias", { name: `models/${model}/aliases/default` });
  expect(alias.version).to.be.within(aliased, aliased + 1);
  const listed = await registry.unary("ListVersions", { parent: `models/${model}`, pageSize: 1000 });
  const count = listed.versions.length;
  expect(count).to.be.within(versions.size, versions.size + 1);
  expect(listed.versions.map(({ name }) => name)).to.deep.equal(
    listed.versions.map((_, index) => versionName(model, count - index)),
  );
}

function createVersion(registry: Registry, model: string, artifact: string, requestId: string) {
  const request = { parent: `models/${model}`, version: { artifact }, requestId, allowMissingModel: true };
  return registry.unary("CreateVersion", request, { timeoutMs: 10_000 });
}
