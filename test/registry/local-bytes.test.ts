import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { newLocation, oneRoom, type StoredBytes } from "../../services/registry/artifacts/byte-store.ts";
import { LocalBytes } from "../../services/registry/artifacts/local-bytes.ts";
import { emptyFolder, sha256Of } from "./running-registry.ts";

const run = promisify(execFile);

describe("bytes in files", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let stored: string;
  let bytes: LocalBytes;
  const content = Buffer.from("content");
  const location = newLocation(sha256Of(content));

  beforeEach(async () => {
    folder = await emptyFolder();
    stored = join(folder.path, "artifacts");
    bytes = new LocalBytes(stored);
    await bytes.start();
  });

  afterEach(() => folder.remove());

  async function put(): Promise<string> {
    const path = join(folder.path, "incoming");
    await writeFile(path, content);
    await utimes(path, new Date(0), new Date(0));
    await bytes.put(path, location);
    return path;
  }

  async function listed(): Promise<StoredBytes[]> {
    const all: StoredBytes[] = [];
    for await (const page of bytes.list()) all.push(...page);
    return all;
  }

  async function read(from: number): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of bytes.read(location, from, new AbortController().signal, oneRoom())) {
      chunks.push(Buffer.from(chunk));
    }
    return Buffer.concat(chunks).toString();
  }

  it("are as old as their storing, not as the file that they were in", async () => {
    await put();
    const [found, ...others] = await listed();
    expect(others).to.deep.equal([]);
    expect(found).to.include({ location, sha256: sha256Of(content) });
    expect(Math.abs(found!.timeMs - Date.now())).to.be.below(60_000);
  });

  it("appear as a local file that is the same", async () => {
    await put();
    const path = join(folder.path, "placed");
    expect(await bytes.link(location, path)).to.equal(true);
    expect((await stat(path)).ino).to.equal((await stat(join(stored, location))).ino);
  });

  it("are gone once they are removed, also twice", async () => {
    await put();
    for (let time = 0; time < 2; time++) await bytes.remove(location);
    expect(await bytes.sizeOf(location)).to.equal(undefined);
    for (const use of [() => read(0), () => bytes.link(location, join(folder.path, "placed"))]) {
      expect((await use().catch((failure: Error) => failure)) as Error).to.have.property("name", "BytesGone");
    }
  });

  it("that a dead process has copied halfway are given back once they are old enough, and are never bytes", async () => {
    const half = join(stored, `${location}.partial`);
    await mkdir(dirname(half));
    await writeFile(half, "half");
    expect(await listed()).to.deep.equal([]);
    expect(await bytes.removeUnfinished(Date.now() - 60_000)).to.equal(0);
    expect(await bytes.removeUnfinished(Date.now() + 60_000)).to.equal(1);
    expect(await readdir(dirname(half))).to.deep.equal([]);
  });

  it("may lie on another file system than what arrives and what is placed", async function () {
    // Needs the right to mount one.
    const isMounted = await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", stored]).then(
      () => true,
      () => false,
    );
    if (!isMounted) this.skip();
    try {
      await put();
      expect(await readFile(join(stored, location), "utf8")).to.equal("content");
      expect(await read(3)).to.equal("tent");
      expect(await bytes.link(location, join(folder.path, "placed"))).to.equal(false);
      expect(await readdir(dirname(join(stored, location)))).to.have.length(1);
    } finally {
      await run("umount", [stored]);
    }
  });
});
