import { existsSync, readdirSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { newLocation, oneRoom } from "../../services/registry/artifacts/byte-store.ts";
import { S3Bytes } from "../../services/registry/artifacts/s3-bytes.ts";
import type { S3Server } from "../s3-server.ts";
import { byteStores, incoming, type OpenByteStore, s3Server } from "./byte-stores.ts";
import { OpenUpload } from "./open-upload.ts";
import { emptyFolder, faultOf, type RunningRegistry, sha256Of, startRegistry, upload } from "./running-registry.ts";

/** Several parts of an upload to S3, which are 5 MiB at least. */
const large = Buffer.from(Uint32Array.from({ length: 12_000_000 }, (_, index) => index * 2_654_435_761).buffer);

describe("a registry whose S3 server fails", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let server: S3Server;
  let bytes: OpenByteStore;
  let settings: Readonly<Record<string, string>>;
  let running: RunningRegistry;

  beforeEach(async function () {
    this.timeout(60_000);
    folder = await emptyFolder();
    server = await s3Server();
    bytes = await byteStores[1]!.open(folder.path);
    settings = {
      ...bytes.settings,
      AMAAS_S3_PART_BYTES: String(5 * 1024 ** 2),
      AMAAS_S3_PARTS_IN_FLIGHT_MAX: "1",
      AMAAS_S3_TIMEOUT_MS: "1500",
      AMAAS_S3_ATTEMPTS_MAX: "2",
    };
    running = await startRegistry(folder.path, settings);
  });

  afterEach(async function () {
    this.timeout(60_000);
    await running.stop();
    await folder.remove();
    await server.kill();
    await server.start();
  });

  const send = (content: Buffer) => new OpenUpload(running.registry, content).finish();

  async function download(name: string, offset = 0): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const { chunk } of running.registry.serverStream("DownloadArtifact", { name, offset }))
      chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** Settles once the server has a part of an upload that is not complete. */
  async function partArrived(): Promise<void> {
    const bucket = /^s3:\/\/([^/]+)/.exec(bytes.settings.AMAAS_ARTIFACT_STORE!)![1]!;
    const uploads = join(server.folder, bucket, "._S3rver_uploads");
    const parts = () => (existsSync(uploads) ? readdirSync(uploads, { recursive: true }) : []);
    while (!parts().some((path) => /[/\\]1$/.test(String(path)))) await new Promise((resolve) => setImmediate(resolve));
  }

  it("that dies in the midst of an upload refuses it for now, and needs no byte again once the server is back", async function () {
    this.timeout(60_000);
    const uploading = send(large);
    await partArrived();
    await server.kill();
    expect(await faultOf(uploading)).to.include({ code: status.UNAVAILABLE, reason: "SERVICE_UNAVAILABLE" });
    const name = `artifacts/${sha256Of(large)}`;
    expect(await faultOf(running.registry.unary("GetArtifact", { name }))).to.include({ reason: "ARTIFACT_NOT_FOUND" });
    expect(await running.registry.unary("QueryUpload", { name })).to.deep.equal({
      committedBytes: large.length,
      complete: false,
    });
    await server.start();
    await new OpenUpload(running.registry, large, large.length).end();
    expect((await download(name)).equals(large)).to.equal(true);
    expect(await incoming(folder.path)).to.deep.equal([]);
  });

  it("that answers nothing refuses uploads and downloads within its time", async function () {
    this.timeout(60_000);
    const name = await upload(running.registry, Buffer.from("content"));
    server.pause();
    try {
      for (const call of [() => upload(running.registry, Buffer.from("other")), () => download(name)]) {
        expect(await faultOf(call())).to.include({ code: status.UNAVAILABLE, reason: "SERVICE_UNAVAILABLE" });
      }
      expect(await running.registry.unary("GetArtifact", { name })).to.include({ state: "STATE_STORED" });
    } finally {
      server.resume();
    }
    expect((await download(name)).toString()).to.equal("content");
  });

  it("that dies in the midst of a download, and is back at once, is not noticed by the reader", async function () {
    this.timeout(60_000);
    await running.stop();
    running = await startRegistry(folder.path, { ...settings, AMAAS_S3_ATTEMPTS_MAX: "15" });
    const { name } = await send(large);
    for (const offset of [0, 1_000_001]) {
      const chunks: Buffer[] = [];
      for await (const { chunk } of running.registry.serverStream("DownloadArtifact", { name, offset })) {
        chunks.push(chunk);
        if (chunks.length !== 1) continue;
        await server.kill();
        await server.start();
      }
      expect(Buffer.concat(chunks).equals(large.subarray(offset)), String(offset)).to.equal(true);
    }
  });

  it("that is away at the start goes on without it, and has it as soon as it is back", async function () {
    this.timeout(60_000);
    const name = await upload(running.registry, Buffer.from("content"));
    await running.stop();
    await server.kill();
    running = await startRegistry(folder.path, settings);
    expect(await running.registry.unary("GetArtifact", { name })).to.include({ state: "STATE_STORED" });
    expect(await faultOf(download(name))).to.include({ reason: "SERVICE_UNAVAILABLE" });
    await server.start();
    expect((await download(name)).toString()).to.equal("content");
  });

  it("whose bucket cannot be seen says so, and nobody takes the artifacts for corrupt", async function () {
    this.timeout(60_000);
    const name = await upload(running.registry, Buffer.from("content"));
    const path = join(server.folder, /^s3:\/\/([^/]+)/.exec(bytes.settings.AMAAS_ARTIFACT_STORE!)![1]!);
    await rename(path, `${path}-away`);
    const scrub = async () => {
      for await (const _ of running.registry.serverStream("ScrubArtifacts", {}));
    };
    for (const call of [
      () => running.registry.unary("QueryUpload", { name }),
      () => download(name),
      () => upload(running.registry, Buffer.from("content")),
      () => upload(running.registry, Buffer.from("other")),
      scrub,
    ]) {
      const fault = await faultOf(call());
      expect(fault).to.include({ code: status.UNAVAILABLE, reason: "SERVICE_UNAVAILABLE" });
      expect(fault.message).to.contain("refuses the registry").and.contain("bucket");
    }
    expect(await running.registry.unary("GetArtifact", { name })).to.include({ state: "STATE_STORED" });
    await rename(`${path}-away`, path);
    expect((await download(name)).toString()).to.equal("content");
    const [file] = await bytes.files();
    await rm(file!.path);
    expect(await running.registry.unary("QueryUpload", { name })).to.include({ complete: false });
    expect(await running.registry.unary("GetArtifact", { name })).to.include({ state: "STATE_CORRUPT" });
  });
});

/** Bytes at a server of the test's own, in the bucket "models" below "of/tests/". */
async function bytesAt(answer: RequestListener) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bytes = new S3Bytes({
    bucket: "models",
    prefix: "of/tests/",
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: "us-east-1",
    partBytes: 8 * 1024 ** 2,
    partsInFlightMax: 1,
    timeoutMs: 5000,
    attemptsMax: 1,
  });
  await bytes.start();
  const close = async () => {
    bytes.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { bytes, close };
}

describe("an S3 server that lets nobody in", () => {
  for (const [code, word] of [
    [301, "PermanentRedirect"],
    [400, "ExpiredToken"],
    [403, "AccessDenied"],
    [403, "InvalidAccessKeyId"],
    [404, "NoSuchBucket"],
  ] as const)
    it(`by ${word} says nothing of the bytes`, async () => {
      const { bytes, close } = await bytesAt((request, response) => {
        response.writeHead(code, { "content-type": "application/xml" });
        // The answer to HEAD has no body.
        response.end(request.method === "HEAD" ? "" : `<Error><Code>${word}</Code><Message>no</Message></Error>`);
      });
      const location = newLocation("a".repeat(64));
      const { signal } = new AbortController();
      const read = async () => {
        for await (const _ of bytes.read(location, 0, signal, oneRoom()));
      };
      const calls = [read, () => bytes.remove(location)];
      // A word in a body is all that tells this one from other bad requests.
      if (code !== 400) calls.push(async () => void (await bytes.sizeOf(location)));
      for (const call of calls) {
        const fault = await call().then(
          () => undefined,
          (failure) => failure,
        );
        expect(fault).to.be.instanceOf(ServiceError);
        expect(fault).to.include({ reason: "SERVICE_UNAVAILABLE" });
        expect(fault.message).to.contain("refuses the registry");
      }
      await close();
    });
});

describe("what dead registries began to write to S3", () => {
  // The server of the other tests has no list of what is unfinished.
  it("is given back once it is old enough", async () => {
    const [old, young] = [newLocation("a".repeat(64)), newLocation("b".repeat(64))];
    const entry = (key: string, time: string) =>
      `<Upload><Key>${key}</Key><UploadId>id-of-${key}</UploadId><Initiated>${time}</Initiated></Upload>`;
    const list = [
      entry(`of/tests/${old}`, "2026-01-01T00:00:00.000Z"),
      entry(`of/tests/${young}`, "2026-01-03T00:00:00.000Z"),
      entry("of/tests/notes", "2026-01-01T00:00:00.000Z"),
    ];
    const aborted: string[] = [];
    const { bytes, close } = await bytesAt((request, response) => {
      if (request.method === "DELETE") {
        aborted.push(decodeURIComponent(request.url!));
        response.writeHead(204).end();
      } else response.end(`<ListMultipartUploadsResult>${list.join("")}</ListMultipartUploadsResult>`);
    });
    expect(await bytes.removeUnfinished(Date.parse("2026-01-02T00:00:00Z"))).to.equal(1);
    expect(aborted).to.have.length(1);
    expect(aborted[0]).to.contain(`/models/of/tests/${old}`).and.contain(`uploadId=id-of-of/tests/${old}`);
    await close();
  });
});
