import { rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { Random } from "../../lib/random.ts";
import { artifactName } from "../../lib/resource-names.ts";
import { ManualClock } from "../manual-clock.ts";
import { incoming } from "./byte-stores.ts";
import { committed, OpenUpload } from "./open-upload.ts";
import { emptyFolder, faultOf, type RunningRegistry, sha256Of, startRegistry, upload } from "./running-registry.ts";

/** Bytes that are like no others. */
function contentOf(bytes: number, seed: number): Buffer {
  const random = new Random(seed, "content");
  return Buffer.from(Array.from({ length: bytes }, () => random.below(256)));
}

describe("an upload to the registry", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RunningRegistry;
  let clock: ManualClock;
  const bytes = contentOf(1_000_000, 1);

  async function start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    await running?.stop();
    clock = new ManualClock();
    clock.advance(Date.now());
    running = await startRegistry(folder.path, settings, clock);
  }

  beforeEach(async () => {
    folder = await emptyFolder();
    await start();
  });

  afterEach(async () => {
    await running.stop();
    await folder.remove();
  });

  /** Sends the beginning of an artifact and goes away; settles once that is kept. */
  async function leaveBehind(content: Buffer, count: number): Promise<string> {
    const open = new OpenUpload(running.registry, content);
    await open.send(count);
    await open.leave();
    // The registry may hear of it a little later, until when the upload counts as one that runs.
    await committed(running.registry, open.name, count);
    return open.name;
  }

  const query = (name: string) => running.registry.unary("QueryUpload", { name });

  async function download(name: string): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const { chunk } of running.registry.serverStream("DownloadArtifact", { name })) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  it("goes on where it broke off, as often as it breaks", async () => {
    const name = await leaveBehind(bytes, 300_000);
    const second = new OpenUpload(running.registry, bytes, 300_000);
    await second.send(200_000);
    await second.leave();
    await committed(running.registry, name, 500_000);
    await new OpenUpload(running.registry, bytes, 500_000).finish();
    expect((await download(name)).equals(bytes)).to.equal(true);
    expect(await query(name)).to.deep.equal({ committedBytes: bytes.length, complete: true });
    expect(await incoming(folder.path)).to.deep.equal([]);
  });

  it("of which nothing has arrived begins at 0", async () => {
    expect(await query(artifactName(sha256Of(bytes)))).to.deep.equal({ committedBytes: 0, complete: false });
  });

  it("is refused at any other place, and told the right one", async () => {
    await leaveBehind(bytes, 300_000);
    for (const offset of [1, 299_999, 300_001, bytes.length]) {
      const fault = await faultOf(new OpenUpload(running.registry, bytes, offset).end());
      expect(fault).to.include({ code: status.ABORTED, reason: "UPLOAD_OFFSET" });
      expect(fault.metadata).to.include({ committed_bytes: "300000" });
    }
    await new OpenUpload(running.registry, bytes, 300_000).finish();
  });

  it("may begin anew although a part of it is kept, which stays until the end", async () => {
    const name = await leaveBehind(bytes, 300_000);
    const open = new OpenUpload(running.registry, bytes);
    await open.send(400_000);
    expect(await incoming(folder.path)).to.have.length(2);
    await open.finish();
    expect(await query(name)).to.include({ complete: true });
    expect(await incoming(folder.path)).to.deep.equal([]);
  });

  it("leaves its part only where no longer one is kept", async () => {
    const name = await leaveBehind(bytes, 300_000);
    const open = new OpenUpload(running.registry, bytes);
    await committed(running.registry, name, 300_000);
    const short = new OpenUpload(running.registry, bytes);
    await open.send(400_000);
    await short.leave();
    await open.leave();
    await committed(running.registry, name, 400_000);
    while ((await incoming(folder.path)).length !== 1);
    await new OpenUpload(running.registry, bytes, 400_000).finish();
  });

  it("that hangs is ended by one that goes on in its place", async () => {
    const hanging = new OpenUpload(running.registry, bytes);
    await hanging.send(300_000);
    expect(await query(hanging.name)).to.deep.equal({ committedBytes: 300_000, complete: false });
    await new OpenUpload(running.registry, bytes, 300_000).finish();
    expect(await faultOf(hanging.result)).to.include({ code: status.ABORTED, reason: "UPLOAD_SUPERSEDED" });
    expect((await download(hanging.name)).equals(bytes)).to.equal(true);
  });

  it("that makes progress is not disturbed by one that goes on from elsewhere", async () => {
    const open = new OpenUpload(running.registry, bytes);
    await open.send(300_000);
    const fault = await faultOf(new OpenUpload(running.registry, bytes, 200_000).end());
    expect(fault).to.include({ reason: "UPLOAD_OFFSET" });
    await open.finish();
  });

  it("that ends too early is told where to go on", async () => {
    const open = new OpenUpload(running.registry, bytes);
    await open.send(300_000);
    const fault = await faultOf(open.end());
    expect(fault).to.include({ code: status.ABORTED, reason: "UPLOAD_INCOMPLETE" });
    expect(fault.metadata).to.include({ committed_bytes: "300000" });
    await new OpenUpload(running.registry, bytes, 300_000).finish();
  });

  it("leaves nothing where all of its bytes turn out to be others", async () => {
    const other = contentOf(1_000_000, 2);
    const open = new OpenUpload(running.registry, other, 0, sha256Of(bytes));
    await open.send(300_000);
    await open.leave();
    await committed(running.registry, open.name, 300_000);
    const rest = new OpenUpload(running.registry, bytes, 300_000);
    expect(await faultOf(rest.finish())).to.include({ reason: "ARTIFACT_DIGEST_MISMATCH" });
    expect(await query(open.name)).to.deep.equal({ committedBytes: 0, complete: false });
    expect(await incoming(folder.path)).to.deep.equal([]);
    await upload(running.registry, bytes);
  });

  it("is answered at once where the artifact is there, wherever it was to go on", async () => {
    await upload(running.registry, bytes);
    for (const offset of [0, 1, bytes.length]) await new OpenUpload(running.registry, bytes, offset).result;
  });

  it("is ended when nothing comes for too long, and may go on", async () => {
    const open = new OpenUpload(running.registry, bytes);
    await open.send(300_000);
    clock.advance(59_999);
    await query(open.name);
    await open.send(1);
    clock.advance(60_000);
    const fault = await faultOf(open.result);
    expect(fault).to.include({ code: status.DEADLINE_EXCEEDED, reason: "DEADLINE_EXCEEDED" });
    expect(fault.metadata).to.include({ committed_bytes: "300001" });
    await new OpenUpload(running.registry, bytes, 300_001).finish();
  });

  it("is ended when nothing but empty chunks come", async () => {
    const open = new OpenUpload(running.registry, bytes);
    await open.send(300_000);
    clock.advance(59_999);
    await open.send(0);
    clock.advance(1);
    expect(await faultOf(open.result)).to.include({ reason: "DEADLINE_EXCEEDED" });
  });

  it("that announces nothing is ended after the same time", async () => {
    const { replies } = running.registry.duplex("UploadArtifact");
    const outcome = faultOf(replies[Symbol.asyncIterator]().next());
    const silence = { isOver: false };
    void outcome.finally(() => {
      silence.isOver = true;
    });
    // It counts from when the registry has heard of the call.
    await query(artifactName(sha256Of(bytes)));
    clock.advance(59_999);
    await query(artifactName(sha256Of(bytes)));
    expect(silence.isOver).to.equal(false);
    clock.advance(60_000);
    expect(await outcome).to.include({ code: status.DEADLINE_EXCEEDED, reason: "DEADLINE_EXCEEDED" });
  });

  it("that announces nothing does not hold up a registry that stops", async () => {
    await start({ AMAAS_DRAIN_TIMEOUT_MS: "60000" });
    const { replies } = running.registry.duplex("UploadArtifact");
    const outcome = faultOf(replies[Symbol.asyncIterator]().next());
    await query(artifactName(sha256Of(bytes)));
    await running.stop();
    expect(await outcome).to.include({ code: status.UNAVAILABLE, reason: "DRAINING" });
    await start();
  });

  it("is refused where too many run, until one ends", async () => {
    await start({ AMAAS_UPLOADS_MAX: "2" });
    const open = [contentOf(10, 3), contentOf(10, 4)].map((content) => new OpenUpload(running.registry, content));
    for (const one of open) await one.send(1);
    const fault = await faultOf(upload(running.registry, bytes));
    expect(fault).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "QUEUE_FULL" });
    await open[0]!.finish();
    await upload(running.registry, bytes);
  });

  it("goes on after a restart of the registry", async () => {
    const name = await leaveBehind(bytes, 300_000);
    await start();
    expect(await query(name)).to.deep.equal({ committedBytes: 300_000, complete: false });
    await new OpenUpload(running.registry, bytes, 300_000).finish();
    expect((await download(name)).equals(bytes)).to.equal(true);
  });

  it("begins anew where its part was lost from the disk", async () => {
    const name = await leaveBehind(bytes, 300_000);
    const [part] = await incoming(folder.path);
    await rm(join(folder.path, "registry", "incoming", part!));
    expect(await faultOf(new OpenUpload(running.registry, bytes, 300_000).end())).to.include({
      reason: "UPLOAD_OFFSET",
    });
    expect(await query(name)).to.include({ committedBytes: 0 });
  });

  describe("leaves parts", () => {
    const contents = [5, 6, 7].map((seed) => contentOf(1000, seed));
    const kept = async (names: readonly string[]) => {
      const found = await Promise.all(names.map(query));
      return found.map(({ committedBytes }) => committedBytes);
    };
    const leaveAll = async () => {
      const names: string[] = [];
      for (const content of contents) {
        clock.advance(1);
        names.push(await leaveBehind(content, 500));
        while ((await incoming(folder.path)).length < 1);
      }
      return names;
    };

    it("of so many bytes together, the oldest of which go first", async () => {
      await start({ AMAAS_UPLOAD_PARTS_BYTES_MAX: "1000" });
      const names = await leaveAll();
      while ((await incoming(folder.path)).length > 2);
      expect(await kept(names)).to.deep.equal([0, 500, 500]);
    });

    it("that stay for so long, also over a restart", async () => {
      const settings = { AMAAS_UPLOAD_PARTS_AGE_MAX_MS: "60000" };
      await start(settings);
      const names = await leaveAll();
      clock.advance(59_999);
      while ((await incoming(folder.path)).length > 1);
      expect(await kept(names)).to.deep.equal([0, 0, 500]);
      clock.advance(1);
      while ((await incoming(folder.path)).length > 0);
      expect(await kept(names)).to.deep.equal([0, 0, 0]);

      await leaveBehind(contents[0]!, 500);
      const [part] = await incoming(folder.path);
      const old = new Date(Date.now() - 61_000);
      await running.stop();
      await utimes(join(folder.path, "registry", "incoming", part!), old, old);
      await start(settings);
      expect(await incoming(folder.path)).to.deep.equal([]);
    });
  });
});
