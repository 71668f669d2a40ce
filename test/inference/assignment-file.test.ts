import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { messageOf } from "../../lib/errors.ts";
import { AssignmentFile } from "../../services/inference/control/assignment-file.ts";
import { emptyFolder } from "./running-node.ts";

describe("the assignment on disk", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let path: string;

  beforeEach(async () => {
    folder = await emptyFolder();
    path = join(folder.path, "node", "assignment.json");
  });
  afterEach(() => folder.remove());

  const assignment = (number: number) => ({
    versions: [{ model: "digits", version: number, sha256: "ab".repeat(32), sizeBytes: 12, aliases: ["default"] }],
  });

  it("is what was saved last, also by another process", async () => {
    const file = new AssignmentFile(path);
    expect(await file.load()).to.equal(undefined);
    await Promise.all([1, 2, 3].map((number) => file.save(assignment(number))));
    expect(await new AssignmentFile(path).load()).to.deep.equal(assignment(3));
    expect(await readdir(join(folder.path, "node"))).to.deep.equal(["assignment.json"]);
  });

  it("is refused where it is not one", async () => {
    const file = new AssignmentFile(path);
    await file.save(assignment(1));
    for (const text of ["", "{", "{}", '{"versions":[{"version":"models/../versions/1"}]}']) {
      await writeFile(path, text);
      expect(await file.load().then(() => "accepted", messageOf)).not.to.equal("accepted");
    }
  });
});
