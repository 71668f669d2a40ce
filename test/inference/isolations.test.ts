import { mkdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { createLog } from "../../lib/log.ts";
import { Isolations } from "../../services/inference/isolation/isolations.ts";
import { ManualClock } from "../manual-clock.ts";
import { emptyFolder } from "./running-node.ts";

describe("what a node remembers of its deaths", () => {
  const sha256 = "ab".repeat(32);
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  beforeEach(async () => {
    folder = await emptyFolder();
  });
  afterEach(() => folder.remove());

  const opened = async () => {
    const isolations = new Isolations({
      folder: folder.path,
      clock: new ManualClock(),
      log: createLog("test", "silent"),
    });
    await isolations.open();
    return isolations.of(sha256, "thread");
  };
  const openedAfterDeath = async () => {
    await mkdir(join(folder.path, "running"), { recursive: true });
    await writeFile(join(folder.path, "running/mark"), `1${sha256}`);
    return opened();
  };

  for (const text of ["", "null", "[null]", '{"sha256":1}', "[{}]"]) {
    it(`may be broken, as ${JSON.stringify(text)}: it begins anew, and two deaths are enough as ever`, async () => {
      await writeFile(join(folder.path, "deaths.json"), text);
      expect(await openedAfterDeath()).to.equal("thread");
      expect(await openedAfterDeath()).to.equal("process");
      expect(await opened()).to.equal("process");
    });
  }

  it("counts a death once, also where the node ended before its mark was removed", async () => {
    expect(await openedAfterDeath()).to.equal("thread");
    const [{ atMs }] = JSON.parse(await readFile(join(folder.path, "deaths.json"), "utf8"));
    const mark = join(folder.path, "running/mark");
    await writeFile(mark, `1${sha256}`);
    await utimes(mark, atMs / 1000, atMs / 1000);
    const again = (await stat(mark)).mtimeMs;
    await writeFile(join(folder.path, "deaths.json"), JSON.stringify([{ sha256, atMs: again }]));
    expect(await opened()).to.equal("thread");
    expect(await openedAfterDeath()).to.equal("process");
  });

  it("counts also where it has nowhere to look for marks", async () => {
    const death = { sha256, atMs: 0 };
    await writeFile(join(folder.path, "deaths.json"), JSON.stringify([death, death]));
    await writeFile(join(folder.path, "running"), "a file");
    expect(await opened()).to.equal("process");
  });
});
