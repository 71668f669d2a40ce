import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { artifactName } from "../../lib/resource-names.ts";
import { byteStores, incoming } from "./byte-stores.ts";
import { committed, OpenUpload } from "./open-upload.ts";
import { type RegistryProcess, spawnRegistry } from "./registry-process.ts";
import { clientsOf, emptyFolder, faultOf, upload } from "./running-registry.ts";

const chunkBytes = 1024 ** 2;
const chunkCount = 300;

/** Chunks of an artifact that nobody holds as a whole; each differs from every other one. */
function* chunks(): Generator<Buffer> {
  for (let index = 0; index < chunkCount; index++) {
    const chunk = Buffer.alloc(chunkBytes, index % 251);
    chunk.writeUInt32LE(index);
    yield chunk;
  }
}

/** Linux says it; elsewhere it rejects. */
async function memoryOf(pid: number): Promise<{ readonly residentMiB: number; readonly peakMiB: number }> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)![1]) / 1024;
  return { residentMiB: mib("VmRSS"), peakMiB: mib("VmHWM") };
}

describe("a registry as a process", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RegistryProcess | undefined;

  beforeEach(async () => {
    folder = await emptyFolder();
  });

  afterEach(async () => {
    await running?.kill();
    await folder.remove();
  });

  for (const store of byteStores)
    it(`takes and gives a large artifact in little memory (${store.name})`, async function () {
      this.timeout(120_000);
      running = await spawnRegistry(folder.path, (await store.open(folder.path)).settings);
      const { registry, close } = clientsOf(running.address);
      const before = await memoryOf(running.pid).catch(() => this.skip());
      const hash = createHash("sha256");
      for (const chunk of chunks()) hash.update(chunk);
      const sha256 = hash.digest("hex");
      function* parts() {
        yield { header: { sha256, sizeBytes: chunkBytes * chunkCount } };
        for (const chunk of chunks()) yield { chunk };
      }
      const { name } = await registry.clientStream("UploadArtifact", parts());
      const seen = createHash("sha256");
      for await (const { chunk } of registry.serverStream("DownloadArtifact", { name })) seen.update(chunk);
      expect(artifactName(seen.digest("hex"))).to.equal(name);
      const after = await memoryOf(running.pid);
      expect(after.peakMiB - before.residentMiB).to.be.below(200);
      close();
    });

  it("goes on with uploads that it was killed in the midst of", async function () {
    this.timeout(60_000);
    const contents = [1, 2, 3].map((seed) => Buffer.alloc(2_000_000, seed));
    const lengths = contents.map(() => 0);
    for (let round = 1; round <= 3; round++) {
      running = await spawnRegistry(folder.path);
      const { registry, close } = clientsOf(running.address);
      const open: OpenUpload[] = [];
      for (const [index, content] of contents.entries()) {
        const upload = new OpenUpload(registry, content, lengths[index]);
        await upload.send(400_000 + 1000 * index);
        lengths[index]! += 400_000 + 1000 * index;
        open.push(upload);
      }
      await running.kill();
      for (const { result } of open) await faultOf(result);
      close();
    }
    running = await spawnRegistry(folder.path);
    const { registry, close } = clientsOf(running.address);
    for (const [index, content] of contents.entries()) {
      const { result, name } = new OpenUpload(registry, content, 1);
      expect((await faultOf(result)).metadata).to.include({ committed_bytes: String(lengths[index]) });
      await committed(registry, name, lengths[index]!);
      await new OpenUpload(registry, content, lengths[index]).finish();
      expect(await upload(registry, content)).to.equal(name);
    }
    expect(await incoming(folder.path)).to.deep.equal([]);
    close();
  });
});
