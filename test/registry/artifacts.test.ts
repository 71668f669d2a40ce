import { rm, truncate, writeFile } from "node:fs/promises";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { artifactName } from "../../lib/resource-names.ts";
import { byteStores, incoming, type OpenByteStore } from "./byte-stores.ts";
import {
  emptyFolder,
  faultOf,
  noArtifact,
  type RunningRegistry,
  sha256Of,
  startRegistry,
  upload,
} from "./running-registry.ts";

/** Not the same at any two places that are near each other. */
const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 31 + (index >> 8)) & 0xff));

for (const store of byteStores)
  describe(`artifacts of the registry (${store.name})`, () => {
    let folder: Awaited<ReturnType<typeof emptyFolder>>;
    let open: OpenByteStore;
    let running: RunningRegistry;

    beforeEach(async function () {
      this.timeout(60_000);
      folder = await emptyFolder();
      open = await store.open(folder.path);
      running = await startRegistry(folder.path, { ...open.settings, AMAAS_ARTIFACT_BYTES_MAX: "4000000" });
    });

    afterEach(async () => {
      await running.stop();
      await folder.remove();
    });

    const send = (parts: readonly object[]) => running.registry.clientStream("UploadArtifact", parts);
    const headerOf = (content: Uint8Array) => ({ header: { sha256: sha256Of(content), sizeBytes: content.length } });

    /** The digests of all artifacts whose bytes are stored, and the names of what uploads have left. */
    async function storedFiles(): Promise<string[]> {
      return [...(await open.files()).map(({ sha256 }) => sha256), ...(await incoming(folder.path))];
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

    it("are refused where more bytes come than announced, with both numbers", async () => {
      const { header } = headerOf(bytes);
      for (const sizeBytes of [bytes.length - 1, 0]) {
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
        ["a negative offset", [{ header: { ...good.header, offset: -1 } }, chunk]],
        ["an offset behind the end", [{ header: { ...good.header, offset: bytes.length + 1 } }, chunk]],
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

    const damages: Readonly<Record<string, (path: string) => Promise<void>>> = {
      "that are lost": (path) => rm(path),
      "that have become shorter": (path) => truncate(path, 1_000_000),
      "that have become others": (path) => writeFile(path, Buffer.alloc(bytes.length)),
    };
    for (const [what, damage] of Object.entries(damages)) {
      it(`${what} are refused to readers at the end, marked, and whole again after another upload`, async () => {
        const name = await upload(running.registry, bytes);
        const stored = await running.registry.unary("GetArtifact", { name });
        await damage((await open.files())[0]!.path);
        expect(await faultOf(download(name))).to.include({ code: status.DATA_LOSS, reason: "ARTIFACT_CORRUPT" });
        const corrupt = await running.registry.unary("GetArtifact", { name });
        expect(corrupt).to.deep.equal({ ...stored, state: "STATE_CORRUPT" });
        expect(await faultOf(download(name, 1))).to.include({ reason: "ARTIFACT_CORRUPT" });
        await upload(running.registry, bytes);
        expect((await download(name)).equals(bytes)).to.equal(true);
        expect(await running.registry.unary("GetArtifact", { name })).to.deep.equal(stored);
        expect(await storedFiles()).to.deep.equal([sha256Of(bytes)]);
      });
    }

    it("whose bytes were lost are taken again although nobody has noticed", async () => {
      const name = await upload(running.registry, bytes);
      await rm((await open.files())[0]!.path);
      expect(await running.registry.unary("QueryUpload", { name })).to.deep.equal({
        committedBytes: 0,
        complete: false,
      });
      await upload(running.registry, bytes);
      expect((await download(name)).equals(bytes)).to.equal(true);
    });

    it("are listed page by page in the order of their names, also by their state", async () => {
      const contents = Array.from({ length: 5 }, (_, index) => Buffer.from(`content ${index}`));
      const names: string[] = [];
      for (const content of contents) names.push(await upload(running.registry, content));
      const list = async (request: object) => {
        const seen: string[] = [];
        for (let pageToken = ""; ; ) {
          const page = await running.registry.unary("ListArtifacts", { ...request, pageSize: 2, pageToken });
          seen.push(...page.artifacts.map(({ name }) => name));
          if (page.nextPageToken === "") return seen;
          pageToken = page.nextPageToken;
        }
      };
      names.sort();
      expect(await list({})).to.deep.equal(names);
      const lost = names[3]!;
      await rm((await open.files()).find(({ sha256 }) => artifactName(sha256) === lost)!.path);
      await faultOf(download(lost));
      expect(await list({ state: "STATE_CORRUPT" })).to.deep.equal([lost]);
      expect(await list({ state: "STATE_STORED" })).to.deep.equal(names.filter((name) => name !== lost));
      expect(await list({ state: "STATE_COLLECTING" })).to.deep.equal([]);
      const { nextPageToken: pageToken } = await running.registry.unary("ListArtifacts", { pageSize: 2 });
      for (const request of [{ pageSize: 1001 }, { pageToken: "x" }, { pageToken, state: "STATE_STORED" as const }]) {
        expect(await faultOf(running.registry.unary("ListArtifacts", request))).to.include({
          reason: "REQUEST_INVALID",
        });
      }
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
