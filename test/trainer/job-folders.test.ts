import { mkdir, mkdtemp, readdir, rm, stat, utimes } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { createLog } from "../../lib/log.ts";
import { diskFault } from "../../services/trainer/disk-fault.ts";
import { JobFolders } from "../../services/trainer/job-folders.ts";
import { ManualClock } from "../manual-clock.ts";

const hourMs = 60 * 60 * 1000;
/** No process has such an id. */
const deadId = 2 ** 30;

describe("the folders of jobs at work", () => {
  const log = createLog("test", "silent");
  let root = "";
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "amaas-job-folders-"));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const untouchedFor = async (name: string, hours: number) => {
    const then = new Date(Date.now() - hours * hourMs);
    await mkdir(join(root, name));
    await utimes(join(root, name), then, then);
  };

  it("are removed by a trainer that starts where their process is one of its host and gone", async () => {
    const [dead, alive] = [`${hostname()}~${deadId}-ab-j1-x`, `${hostname()}~${process.ppid}-ab-j2-x`];
    for (const name of [dead, alive]) await untouchedFor(name, 0);
    await new JobFolders(root, systemClock, log).start();
    expect(await readdir(root)).to.deep.equal([alive]);
  });

  it("are removed after days where they are another host's, whose processes cannot be seen", async () => {
    await untouchedFor(`elsewhere~${deadId}-ab-j1-x`, 12);
    await untouchedFor(`elsewhere~${deadId}-ab-j2-x`, 100);
    await new JobFolders(root, systemClock, log).start();
    expect(await readdir(root)).to.deep.equal([`elsewhere~${deadId}-ab-j1-x`]);
  });

  it("stay as long as somebody is at work in them, and go then", async () => {
    const clock = new ManualClock();
    await new JobFolders(root, clock, log).during("j1", async (folder) => {
      await utimes(folder, 0, 0);
      for (let hours = 0; hours < 100; hours++) clock.advance(hourMs);
      while ((await stat(folder)).mtimeMs < 90 * hourMs) await setImmediate();
      await new JobFolders(root, clock, log).start();
      expect(await readdir(root)).to.have.length(1);
    });
    expect(await readdir(root)).to.deep.equal([]);
  });

  it("are another worker's to find room for where the disk is full", async () => {
    expect(diskFault(Object.assign(new Error("no space left"), { code: "ENOSPC" }))).to.include({
      reason: "WORKER_LOST",
    });
    const gone = new JobFolders(join(root, "nowhere"), systemClock, log).during("j1", async () => expect.fail("begun"));
    expect(await gone.catch((failure) => failure)).to.include({ code: "ENOENT" });
  });
});
