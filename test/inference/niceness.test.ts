import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { getPriority } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { type Instance, startInstance } from "../../services/inference/replicas/instance.ts";
import { startInThread } from "../../services/inference/worker/worker-thread.ts";
import { identityModel } from "./models.ts";
import { emptyFolder } from "./running-node.ts";

describe("the niceness of sessions", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  before(async function () {
    if (process.platform !== "linux") this.skip();
    folder = await emptyFolder();
  });
  after(() => folder?.remove());

  /** An instance of so many threads of the runtime. */
  const start = async (niceness: number, intraOpThreads: number): Promise<Instance> => {
    const bytes = identityModel("UINT8", ["n"]);
    const path = join(folder.path, "model");
    await writeFile(path, bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const modelFile = { path, sha256, sizeBytes: bytes.length };
    const threads = { executionProviders: ["cpu"], intraOpThreads, findsThreads: false, niceness, keeps: [] };
    return startInstance(startInThread({ modelFile, externalFiles: [], ...threads }, undefined), {
      loadMsMax: 60_000,
      runMsMax: 60_000,
      clock: systemClock,
      onLeftBehind: () => undefined,
    });
  };

  it("is that of all threads of the session, and of no other", async () => {
    const before = await priorities();
    const instance = await start(3, 3);
    const after = await priorities();
    for (const [thread, priority] of before) expect(after.get(thread) ?? priority).to.equal(priority);
    const nicer = [...after].filter(
      ([thread, priority]) => !before.has(thread) && priority === Math.min(getPriority() + 3, 19),
    );
    // Node.js's own, which runs operators too, and two more.
    expect(nicer.length).to.equal(3);
    await instance.stop();
  });

  it("ends at the system's bound", async () => {
    const before = await priorities();
    const instance = await start(19, 1);
    const added = [...(await priorities())].filter(([thread]) => !before.has(thread));
    expect(Math.max(...added.map(([, priority]) => priority))).to.equal(Math.min(getPriority() + 19, 19));
    await instance.stop();
  });

  it("may be none", async () => {
    const before = await priorities();
    const instance = await start(0, 2);
    const added = [...(await priorities())].filter(([thread]) => !before.has(thread));
    expect(new Set(added.map(([, priority]) => priority))).to.deep.equal(new Set([getPriority()]));
    await instance.stop();
  });
});

/** Of each thread of this process; those that end meanwhile are left out. */
async function priorities(): Promise<Map<string, number>> {
  const threads = await readdir("/proc/self/task");
  const read = await Promise.all(
    threads.map(async (thread) => {
      const stat = await readFile(`/proc/self/task/${thread}/stat`, "utf8").catch(() => undefined);
      // proc_pid_stat(5): the 19th field, the second being a name in parentheses.
      return stat === undefined
        ? []
        : [[thread, Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16])] as const];
    }),
  );
  return new Map(read.flat());
}
