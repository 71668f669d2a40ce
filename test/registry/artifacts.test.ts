import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { artifactName } from "../../lib/resource-names.ts";
import {
  emptyFolder,
  faultOf,
  noArtifact,
  type RunningRegistry,
  sha256Of,
  startRegistry,
  upload,
} from "./running-registry.ts";

describe("artifacts of the registry", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RunningRegistry;
  const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 31 + (index >> 8)) & 0xff));

  beforeEach(async () => {
    folder = await emptyFolder();
    running = await startRegistry(folder.path, { AMAAS_ARTIFACT_BYTES_MAX: "4000000" });
  });

  afterEach(async () => {
    await running.stop();
    await folder.remove();
  });

  const send = (parts: readonly object[]) => running.registry.clientStream("UploadArtifact", parts);
  const headerOf = (content: Uint8Array) => ({ header: { sha256: sha256Of(content), sizeBytes: content.length } });

  /** The files that hold artifacts, complete or not. */
  async function storedFiles(): Promise<string[]> {
    const entries = await readdir(join(folder.path, "registry"), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile() && !entry.name.startsWith("catalogue.db")).map(({ name }) => name);
  }

  async function download(name: string, offset = 0): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const { chunk } of running.registry.serverStream("DownloadArtifact", { name, offset })) {
      expect(chunk.length).to.be.within(1, 1024 ** 2);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  it("come back as they were sent, from any offset", async () => {
    const name = await upload(running.registry, bytes, 100_001);
    expect(name).to.equal(artifactName(sha256Of(bytes)));
    expect((await download(name)).equals(bytes)).to.equal(true);
    for (const offset of [1, 262_144, bytes.length - 1, bytes.length]) {
      expect((await download(name, offset)).equals(bytes.subarray(offset)), String(offset)).to.equal(true);
    }
  });

  it("have a size and an age", async () => {
    const name = await upload(running.registry, bytes);
    const read = await running.registry.unary("GetArtifact", { name });
    expect(read).to.deep.include({ name, sizeBytes: bytes.length });
    expect(Math.abs(Number(read.createTime?.seconds) - Date.now() / 1000)).to.be.below(60);
  });

  it("may be empty", async () => {
    const name = await upload(running.registry, Buffer.alloc(0));
    expect(await download(name)).to.have.length(0);
  });

  it("are taken under a digest in capital letters", async () => {
    const content = Buffer.from("content");
    const header = { sha256: sha256Of(content).toUpperCase(), sizeBytes: content.length };
    expect((await send([{ header }, { chunk: content }])).name).to.equal(artifactName(sha256Of(content)));
  });

  it("are stored once, and a second upload needs only the header", async () => {
    const name = await upload(running.registry, bytes);
    const first = await running.registry.unary("GetArtifact", { name });
    expect(await send([headerOf(bytes)])).to.deep.equal(first);
    expect(await upload(running.registry, bytes)).to.equal(name);
    expect(await storedFiles()).to.deep.equal([sha256Of(bytes)]);
  });

  it("are stored once when several uploads of the same bytes run at the same time", async () => {
    const names = await Promise.all(Array.from({ length: 5 }, () => upload(running.registry, bytes, 65_536)));
    expect(new Set(names).size).to.equal(1);
    expect(await storedFiles()).to.deep.equal([sha256Of(bytes)]);
  });

  it("are refused where the bytes have another digest, with both", async () => {
    const other = Buffer.from(bytes).fill(0, 0, 1).fill(1, 1, 2);
    const fault = await faultOf(send([headerOf(bytes), { chunk: other }]));
    expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "ARTIFACT_DIGEST_MISMATCH" });
    expect(fault.message).to.contain(sha256Of(bytes)).and.contain(sha256Of(other));
    expect(await storedFiles()).to.deep.equal([]);
  });

  it("are refused where more or fewer bytes come than announced, with both numbers", async () => {
    const { header } = headerOf(bytes);
    for (const sizeBytes of [bytes.length - 1, bytes.length + 1, 0]) {
      const fault = await faultOf(send([{ header: { ...header, sizeBytes } }, { chunk: bytes }]));
      expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      expect(fault.message).to.contain(`${sizeBytes} bytes`);
      expect(await storedFiles()).to.deep.equal([]);
    }
  });

  it("are refused where a known digest is announced with another size", async () => {
    await upload(running.registry, bytes);
    const header = { sha256: sha256Of(bytes), sizeBytes: 5 };
    const fault = await faultOf(send([{ header }]));
    expect(fault).to.include({ reason: "REQUEST_INVALID" });
    expect(fault.message).to.contain("5").and.contain(String(bytes.length));
  });

  it("are refused for messages out of order or out of form, and the next call works", async () => {
    const good = headerOf(bytes);
    const chunk = { chunk: bytes };
    const refused: [string, object[]][] = [
      ["no message", []],
      ["a chunk first", [chunk]],
      ["nothing in the first message", [{}]],
      ["a second header", [good, good]],
      ["nothing in a later message", [good, {}]],
      ["a short digest", [{ header: { sha256: "abc", sizeBytes: 3 } }, chunk]],
      ["a digest that is a path", [{ header: { sha256: `../${"a".repeat(61)}`, sizeBytes: 3 } }, chunk]],
      ["a negative size", [{ header: { ...good.header, sizeBytes: -1 } }, chunk]],
    ];
    for (const [what, parts] of refused) {
      const fault = await faultOf(send(parts));
      expect(fault, what).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
    expect(await storedFiles()).to.deep.equal([]);
    expect(await upload(running.registry, bytes)).to.equal(artifactName(sha256Of(bytes)));
  });

  it("are refused above the largest size before any byte is taken", async () => {
    const header = { sha256: sha256Of(bytes), sizeBytes: 4_000_001 };
    const fault = await faultOf(send([{ header }]));
    expect(fault).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "ARTIFACT_TOO_LARGE" });
    expect(fault.message).to.contain("4000001").and.contain("4000000");
  });

  it("leave no file where the caller breaks off", async () => {
    const left = new AbortController();
    async function* parts() {
      yield headerOf(bytes);
      yield { chunk: bytes.subarray(0, 1_000_000) };
      while ((await storedFiles()).length === 0) await new Promise((resolve) => setImmediate(resolve));
      left.abort();
      yield { chunk: bytes.subarray(1_000_000) };
    }
    const fault = await faultOf(running.registry.clientStream("UploadArtifact", parts(), { signal: left.signal }));
    expect(fault.code).to.equal(status.CANCELLED);
    while ((await storedFiles()).length > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await faultOf(running.registry.unary("GetArtifact", { name: artifactName(sha256Of(bytes)) }))).to.include({
      reason: "ARTIFACT_NOT_FOUND",
    });
  });

  it("that a dead process left unfinished are gone after the next start", async () => {
    await running.stop();
    const incoming = join(folder.path, "registry", "incoming");
    await writeFile(join(incoming, "half"), "half");
    running = await startRegistry(folder.path);
    expect(await storedFiles()).to.deep.equal([]);
  });

  it("that the disk has lost are refused to readers, and whole again after another upload", async () => {
    const name = await upload(running.registry, bytes);
    await rm(join(folder.path, "registry", "artifacts"), { recursive: true });
    expect(await faultOf(download(name))).to.include({ code: status.DATA_LOSS, reason: "ARTIFACT_CORRUPT" });
    await upload(running.registry, bytes);
    expect((await download(name)).equals(bytes)).to.equal(true);
  });

  it("are not found under a digest that nobody uploaded", async () => {
    for (const call of [running.registry.unary("GetArtifact", { name: noArtifact }), download(noArtifact)]) {
      const fault = await faultOf(call);
      expect(fault).to.include({ code: status.NOT_FOUND, reason: "ARTIFACT_NOT_FOUND" });
    }
  });

  it("are not sent from an offset outside of them, nor under a malformed name", async () => {
    const name = await upload(running.registry, Buffer.from("12345"));
    for (const call of [download(name, 6), download(name, -1), download("artifacts/../x"), download("")]) {
      expect(await faultOf(call)).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
  });

  it("stay whole when a reader leaves in the middle, and the next call works", async () => {
    const name = await upload(running.registry, bytes);
    for await (const { chunk } of running.registry.serverStream("DownloadArtifact", { name })) {
      expect(chunk.length).to.be.above(0);
      break;
    }
    expect((await download(name)).equals(bytes)).to.equal(true);
  });
});
