import { setImmediate as turn } from "node:timers/promises";
import { expect } from "chai";
import { createLog } from "../../lib/log.ts";
import { JobProcesses } from "../../services/trainer/job-process/job-processes.ts";
import type { Task } from "../../services/trainer/job-process/protocol.ts";
import { childProcesses } from "../child-processes.ts";

describe("processes of jobs that are started ahead", function () {
  this.timeout(60_000);
  const heap = 2 ** 30;
  const running = () => childProcesses("job-process/main");
  const log = createLog("trainer", "silent");
  let processes: JobProcesses;
  beforeEach(() => {
    processes = new JobProcesses({ spareMax: 1, spareHeapBytesMax: heap, log });
  });
  afterEach(async () => {
    await processes.stop();
    expect(running(), "processes that were left behind").to.deep.equal([]);
  });

  it("do one task each: another one waits once the first has told something", async () => {
    processes.start();
    const [spare] = running();
    const taken = processes.take(heap);
    expect(taken.id).to.equal(spare);
    expect(running()).to.deep.equal([spare]);
    taken.begin(nothingToRead, () => undefined);
    expect(await taken.over).to.include({ kind: "failed" });
    await taken.gone();
    const [next, ...more] = running();
    expect(next).to.be.a("number").and.not.equal(spare);
    expect(more).to.deep.equal([]);
  });

  it("are not for a task that may have more or less memory", async () => {
    processes.start();
    const [spare] = running();
    const taken = processes.take(heap / 2);
    expect(taken.id).to.not.equal(spare);
    expect(running()).to.include(spare);
    taken.kill();
    await taken.gone();
    expect(running()).to.deep.equal([spare]);
  });

  it("are replaced where somebody has killed them", async () => {
    processes.start();
    const [spare] = running();
    process.kill(spare!, "SIGKILL");
    const isReplaced = () => {
      processes.start();
      const [now] = running();
      return now !== undefined && now !== spare;
    };
    while (!isReplaced()) await turn();
    const taken = processes.take(heap);
    expect(taken.id).to.be.a("number").and.not.equal(spare);
    taken.kill();
    await taken.gone();
  });

  it("are as many as the setting says, and none after a stop", async () => {
    const none = new JobProcesses({ spareMax: 0, spareHeapBytesMax: heap, log });
    none.start();
    expect(running()).to.deep.equal([]);
    processes.start();
    processes.start();
    expect(running()).to.have.length(1);
    await processes.stop();
    processes.start();
    expect(running()).to.deep.equal([]);
  });

  it("are no loss where the system starts none", async () => {
    const { execPath } = process;
    try {
      process.execPath = `${execPath}/node`;
      processes.start();
      expect(running()).to.deep.equal([]);
    } finally {
      process.execPath = execPath;
    }
    processes.start();
    expect(running()).to.have.length(1);
  });
});

/** A task that fails at once. */
const nothingToRead = {
  kind: "inspect",
  file: {
    ...{ path: "/nowhere/dataset", folder: "/nowhere", format: { kind: "parquet" }, kinds: new Map() },
    ...{ memoryBytesMax: 2 ** 28, threadCount: 1, expandedBytesMax: 2 ** 20 },
  },
  previewRows: 0,
} as unknown as Task;
