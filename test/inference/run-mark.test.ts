import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { RunMark, readRunMarks, removeRunMark, removeRunMarks } from "../../services/inference/isolation/run-mark.ts";
import { emptyFolder } from "./running-node.ts";

describe("a mark of what a thread runs", () => {
  const sha256 = "ab".repeat(32);
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  beforeEach(async () => {
    folder = await emptyFolder();
  });
  afterEach(() => folder.remove());

  it("is found by whoever comes after, only where it was left within a run", async () => {
    const marks = ["a", "b", "c"].map((name) => new RunMark(join(folder.path, name), sha256));
    for (const mark of marks) mark.end();
    const found = async () => (await readRunMarks(folder.path)).map((death) => death.sha256);
    expect(await found()).to.deep.equal([]);
    await mkdir(join(folder.path, "0"));
    const running = new RunMark(join(folder.path, "d"), sha256);
    running.end();
    running.begin();
    expect(await found()).to.deep.equal([sha256]);
    expect(await readRunMarks(folder.path)).to.deep.equal(await readRunMarks(folder.path));
    await removeRunMarks(folder.path);
    expect(await readdir(folder.path)).to.deep.equal(["0"]);
    for (const mark of [...marks, running]) mark.close();
  });

  it("keeps nothing from being run where it cannot be written or removed", async () => {
    await writeFile(join(folder.path, "file"), "");
    await mkdir(join(folder.path, "folder"));
    for (const path of ["/dev/full", join(folder.path, "file/mark"), join(folder.path, "folder")]) {
      const mark = new RunMark(path, sha256);
      mark.begin();
      mark.end();
      mark.close();
      if (path !== "/dev/full") removeRunMark(path);
    }
  });
});
