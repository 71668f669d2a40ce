import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { type RemoteFault, remoteFaultOf } from "../../lib/rpc/status.ts";
import { incoming } from "./byte-stores.ts";
import { addingModel } from "./onnx-files.ts";
import { committed, OpenUpload } from "./open-upload.ts";
import { emptyFolder, faultOf, publish, type RunningRegistry, startRegistry, upload } from "./running-registry.ts";

const run = promisify(execFile);

describe("a registry whose disk is full", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RunningRegistry | undefined;
  let isMounted = false;

  // A disk that is really full needs the right to mount one; elsewhere there is nothing to test with.
  beforeEach(async function () {
    folder = await emptyFolder();
    isMounted = await run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder.path]).then(
      () => true,
      () => false,
    );
    if (!isMounted) this.skip();
    running = await startRegistry(folder.path);
  });

  afterEach(async () => {
    await running?.stop();
    running = undefined;
    // Lazy: prepared statements keep the closed database open until they are collected.
    if (isMounted) await run("umount", ["--lazy", folder.path]);
    await folder.remove();
  });

  const fill = () => writeFile(join(folder.path, "filler"), Buffer.alloc(8_000_000)).catch(() => undefined);
  const empty = () => rm(join(folder.path, "filler"));

  it("refuses an upload that does not fit, keeps nothing of it, and takes one that does", async () => {
    const { registry } = running!;
    const fault = await faultOf(upload(registry, Buffer.alloc(6_000_000)));
    expect(fault).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "DISK_FULL" });
    expect(await incoming(folder.path)).to.deep.equal([]);
    await upload(registry, Buffer.alloc(2_000_000));
  });

  it("refuses an upload that it had room for when it began, and takes it once there is room again", async () => {
    const { registry } = running!;
    const bytes = Buffer.alloc(2_000_000, 1);
    const open = new OpenUpload(registry, bytes);
    await open.send(1_000_000);
    await fill();
    const fault = await faultOf(open.finish());
    expect(fault).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "DISK_FULL" });
    expect(await incoming(folder.path)).to.deep.equal([]);
    await empty();
    expect(await upload(registry, bytes)).to.equal(open.name);
  });

  it("lets what is left of broken uploads give way to an upload that needs the room", async () => {
    const { registry } = running!;
    const open = new OpenUpload(registry, Buffer.alloc(2_500_000, 1));
    await open.send(2_000_000);
    await open.leave();
    while (await upload(registry, Buffer.alloc(2_000_000)).then(() => false, stillRuns));
    expect(await registry.unary("QueryUpload", { name: open.name })).to.include({ committedBytes: 0 });
  });

  it("keeps what is left of broken uploads where removing it would not help", async () => {
    const { registry } = running!;
    const open = new OpenUpload(registry, Buffer.alloc(2_500_000, 1));
    await open.send(1_000_000);
    await open.leave();
    const fault = await faultOf(upload(registry, Buffer.alloc(6_000_000)));
    expect(fault).to.include({ reason: "DISK_FULL" });
    await committed(registry, open.name, 1_000_000);
  });

  it("refuses changes with the reason, goes on reading, and goes on once there is room", async () => {
    const { registry } = running!;
    await publish(registry, "m", addingModel(1));
    await fill();
    const description = "x".repeat(16_384);
    const create = (count: number) => registry.unary("CreateModel", { modelId: `m${count}`, model: { description } });
    for (const change of [create, () => publish(registry, "m", addingModel(1))]) {
      expect(await firstFault(change)).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "DISK_FULL" });
    }
    expect((await registry.unary("GetModel", { name: "models/m" })).name).to.equal("models/m");
    await empty();
    await registry.unary("CreateModel", { modelId: "after" });
    await publish(registry, "m", addingModel(1));
  });
});

/** Whether the upload before holds the disk: the registry hears a little later that its caller has left. */
function stillRuns(failure: unknown): boolean {
  return remoteFaultOf(failure).reason === "DISK_FULL";
}

/** What the first call says that fails: what the log has reserved already takes a few changes. */
async function firstFault(change: (count: number) => Promise<unknown>): Promise<RemoteFault | undefined> {
  for (let count = 0; count < 100; count++) {
    const fault = await change(count).then(() => undefined, remoteFaultOf);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
