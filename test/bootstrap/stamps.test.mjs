import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { digest } from "../../bootstrap/stamps.mjs";

describe("the digest of a step's sources", () => {
  let folder;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "amaas-test-"));
    mkdirSync(join(folder, "in", "deep"), { recursive: true });
    writeFileSync(join(folder, "in", "a.ts"), "a");
    writeFileSync(join(folder, "in", "deep", "b.ts"), "b");
    writeFileSync(join(folder, "config.json"), "{}");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const current = (...others) =>
    digest(["in", "config.json", "missing"], (name) => name.endsWith(".ts"), { folder, others });

  it("stays while nothing changes", () => {
    expect(current()).to.equal(current());
  });

  it("stays when a file changes that does not count", () => {
    const before = current();
    writeFileSync(join(folder, "in", "notes.md"), "n");
    expect(current()).to.equal(before);
  });

  it("changes with every content, name, addition and removal, and with what else the result depends on", () => {
    const seen = new Set([current(), current("option")]);
    for (const change of [
      () => writeFileSync(join(folder, "in", "deep", "b.ts"), "c"),
      () => renameSync(join(folder, "in", "a.ts"), join(folder, "in", "z.ts")),
      () => writeFileSync(join(folder, "in", "new.ts"), ""),
      () => rmSync(join(folder, "in", "new.ts")),
      () => writeFileSync(join(folder, "config.json"), "[]"),
      () => writeFileSync(join(folder, "missing"), "here"),
    ]) {
      const before = current();
      change();
      expect(current()).to.not.equal(before);
      seen.add(current());
    }
    expect(seen.size).to.equal(7);
  });
});
