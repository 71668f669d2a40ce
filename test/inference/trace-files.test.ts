import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { RequestTrace } from "../../services/inference/tracing/request-trace.ts";
import { TraceFiles } from "../../services/inference/tracing/trace-files.ts";
import { ManualClock } from "../manual-clock.ts";
import { emptyFolder } from "./running-node.ts";

describe("trace files", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let failures: unknown[];
  let drops: number[];
  const clock = new ManualClock();

  beforeEach(async () => {
    folder = await emptyFolder();
    failures = [];
    drops = [];
  });
  afterEach(() => folder.remove());

  const open = (bytesMax = 2 ** 20) =>
    new TraceFiles({
      folder: join(folder.path, "traces"),
      bytesMax,
      onFailure: (failure) => failures.push(failure),
      onDropped: (count) => drops.push(count),
    });
  const add = (files: TraceFiles, ids: readonly number[], file = "a", logFrequency = 0) => {
    for (const id of ids) {
      const request = { id, model: "m", version: 1, requestId: "ä".repeat(300), arrivedMs: 0 };
      new RequestTrace(request, { target: { file, logFrequency }, clock, onEnd: (trace) => files.add(trace) }).end();
    }
  };
  const path = (name: string) => join(folder.path, "traces", name);
  const idsIn = async (name: string) =>
    JSON.parse(await readFile(path(name), "utf8")).map(({ id }: { readonly id: number }) => id);
  const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

  it("are a list after every write, in the order of the traces", async () => {
    const files = open();
    for (const ids of [[1], [2, 3], upTo(1000), [4]]) {
      add(files, ids);
      await files.flush();
    }
    expect(await idsIn("a")).to.deep.equal([1, 2, 3, ...upTo(1000), 4]);
    expect(files).to.include({ writtenCount: 1004, droppedCount: 0 });
  });

  it("end after as many traces as are asked for, and the next begins", async () => {
    const files = open();
    add(files, [1, 2, 3], "a", 2);
    await files.flush();
    add(files, [4, 5, 6, 7], "a", 2);
    add(files, [8], "a");
    await files.flush();
    const names = (await readdir(path("."))).sort();
    expect(names).to.deep.equal(["a", "a.0", "a.1", "a.2", "a.3"]);
    expect(await Promise.all(names.map(idsIn))).to.deep.equal([[8], [1, 2], [3, 4], [5, 6], [7]]);
  });

  it("are replaced where they were there before the node started, and begun anew where somebody removed them", async () => {
    await mkdir(path("."));
    await writeFile(path("a"), "x".repeat(10_000));
    const files = open();
    add(files, [1]);
    await files.flush();
    expect(await idsIn("a")).to.deep.equal([1]);
    await rm(path("a"));
    add(files, [2]);
    await files.flush();
    expect(await idsIn("a")).to.deep.equal([2]);
    expect(failures).to.deep.equal([]);
  });

  it("take so many bytes together; what is removed makes room", async () => {
    const files = open(1500);
    for (const id of [1, 2, 3, 4]) {
      add(files, [id], `a${id}`);
      await files.flush();
    }
    expect(failures).to.have.length(2);
    expect(String(failures[0])).to.match(/has \d+ bytes in 2 files; needed: room for \d+ more within 1500 bytes/);
    expect((await readdir(path("."))).sort()).to.deep.equal(["a1", "a2"]);
    expect(files).to.include({ writtenCount: 2, droppedCount: 2 });
    await rm(path("a1"));
    add(files, [5], "a5");
    await files.flush();
    expect(await idsIn("a5")).to.deep.equal([5]);
  });

  it("are no more on a disk that is full, and what waits is given up", async function () {
    // A device that is always full.
    if (!existsSync("/dev/full")) this.skip();
    const files = open();
    await mkdir(path("."));
    await symlink("/dev/full", path("full"));
    add(files, upTo(300), "full");
    await files.flush();
    expect(failures).to.have.length(1);
    expect(failures[0]).to.include({ code: "ENOSPC" });
    expect(files).to.include({ writtenCount: 0, droppedCount: 300 });
    add(files, [1]);
    await files.flush();
    expect([await readdir(path(".")), await idsIn("a")]).to.deep.equal([["a"], [1]]);
  });

  it("have so many traces wait for them; further ones are dropped, counted and told once", async () => {
    const files = open(2 ** 30);
    add(files, upTo(5000));
    await files.flush();
    // The first of them were already being written.
    expect(await idsIn("a")).to.deep.equal(upTo(files.writtenCount));
    expect(files.writtenCount).to.be.within(4096, 4096 + 256);
    expect([files.droppedCount, drops]).to.deep.equal([5000 - files.writtenCount, [5000 - files.writtenCount]]);
  });

  it("cut the ids that callers chose", async () => {
    const files = open();
    add(files, [1]);
    await files.flush();
    const [{ request_id }] = JSON.parse(await readFile(path("a"), "utf8"));
    expect(request_id).to.equal("ä".repeat(256));
  });
});
