import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { expect } from "chai";
import { filesOf, packed } from "../../cli/packed-folder.ts";
import { upload } from "../../cli/upload.ts";
import { tarFiles } from "../../services/trainer/datasets/formats/tar-files.ts";
import { OpenUpload } from "../registry/open-upload.ts";
import { type RunningRegistry, startRegistry } from "../registry/running-registry.ts";

describe("an upload from the user's disk", function () {
  this.timeout(30_000);
  const files = {
    "cats/2.png": Buffer.from("two"),
    "cats/10.png": Buffer.alloc(3_000_000, 7),
    "dogs/1.png": Buffer.alloc(0),
    [`dogs/${"deep/".repeat(30)}${"é".repeat(60)}.png`]: Buffer.from("far down"),
  };
  let folder: string;
  let running: RunningRegistry;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "amaas-upload-"));
    running = await startRegistry(join(folder, "registry"));
  });
  after(async () => {
    await running.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Writes files to a new folder in an order, and answers its path. */
  const written = async (name: string, entries: readonly (readonly [string, Buffer])[], seconds = 0) => {
    for (const [file, bytes] of entries) {
      const path = join(folder, name, file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
      await utimes(path, seconds, seconds);
    }
    return join(folder, name);
  };
  const stored = async (artifact: string) => {
    const chunks: Buffer[] = [];
    for await (const { chunk } of running.registry.serverStream("DownloadArtifact", { name: artifact }))
      chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  const refusal = (path: string) => upload(path, running.address).then(String, ({ message }: Error) => message);

  it("stores a folder as an archive that the trainer reads, the same for the same files whenever they were written", async () => {
    const [one, other] = [
      await written("one", Object.entries(files), 1),
      await written("other", Object.entries(files).reverse(), 1e9),
    ];
    const artifact = await upload(one, running.address);
    expect(await upload(other, running.address)).to.equal(artifact);
    const path = join(folder, "stored.tar");
    await writeFile(path, await stored(artifact));
    const read: [string, Buffer][] = [];
    for await (const { name, open } of tarFiles(path, { expandedBytesMax: 2 ** 24, isGzip: false }))
      read.push([name, await buffer(await open())]);
    expect(read.map(([name]) => name)).to.deep.equal(Object.keys(files).sort());
    for (const [name, bytes] of read) expect(bytes.equals(files[name as keyof typeof files]!)).to.equal(true);

    await writeFile(join(other, "cats/2.png"), "TWO");
    expect(await upload(other, running.address)).to.not.equal(artifact);
  });

  it("stores a file as it is, goes on where it was broken off, and sends nothing that is there", async () => {
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));
    const path = join(await written("files", [["large", bytes]]), "large");
    const broken = new OpenUpload(running.registry, bytes);
    await broken.send(1_500_000);
    await broken.leave();
    const artifact = await upload(path, running.address);
    expect(artifact).to.equal(`artifacts/${createHash("sha256").update(bytes).digest("hex")}`);
    expect((await stored(artifact)).equals(await readFile(path))).to.equal(true);
    expect(await upload(path, running.address)).to.equal(artifact);
  });

  it("is refused where there is nothing to store, and for links", async () => {
    expect(await refusal(join(folder, "nowhere"))).to.match(/ENOENT.*nowhere/);
    await mkdir(join(folder, "empty/within"), { recursive: true });
    expect(await refusal(join(folder, "empty"))).to.match(/empty has no files; needed: at least 1/);
    const linked = await written("linked", [["a", Buffer.from("a")]]);
    await symlink("a", join(linked, "b"));
    expect(await refusal(linked)).to.match(
      /linked\/b is neither a file nor a folder; needed: one of these, and no link/,
    );
  });

  it("fails where a file has become shorter than it was", async () => {
    const shrinking = await written("shrinking", [["a", Buffer.alloc(2000)]]);
    const listed = await filesOf(shrinking);
    await truncate(join(shrinking, "a"), 1000);
    const failure = await buffer(packed(listed)).then(() => undefined, String);
    expect(failure).to.match(/Size mismatch/i);
  });
});
