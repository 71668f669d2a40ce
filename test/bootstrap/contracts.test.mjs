import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";

const buf = join("node_modules", "@bufbuild", "buf", "bin", "buf");
const contract = join("protos", "amaas", "registry", "v1", "model.proto");

describe("the check of contracts", () => {
  let folder;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "amaas-test-"));
    cpSync("protos", join(folder, "protos"), { recursive: true });
    cpSync("buf.yaml", join(folder, "buf.yaml"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function run(...args) {
    return spawnSync(process.execPath, [join(process.cwd(), buf), ...args], { cwd: folder, encoding: "utf8" });
  }

  function edit(change) {
    const file = join(folder, contract);
    const before = readFileSync(file, "utf8");
    const after = change(before);
    expect(after).to.not.equal(before);
    writeFileSync(file, after);
  }

  it("reports a field that was removed", () => {
    edit((text) => text.replace(/^ {2}string owner = 2;\n/m, ""));
    const { status, stdout } = run("breaking", "--against", "protos/baseline.binpb");
    expect(status).to.equal(100);
    expect(stdout).to.include('field "2" with name "owner" on message "Model" was deleted');
  });

  it("lets a field be added", () => {
    edit((text) => text.replace(/^ {2}string owner = 2;\n/m, "$&  // New.\n  string addition = 999;\n"));
    const { status, stdout } = run("breaking", "--against", "protos/baseline.binpb");
    expect([status, stdout]).to.deep.equal([0, ""]);
  });

  it("wants a comment on every field", () => {
    edit((text) => text.replace(/^ {2}string owner = 2;\n/m, "$&\n  string addition = 999;\n"));
    const { status, stdout } = run("lint");
    expect(status).to.equal(100);
    expect(stdout).to.include('Field "addition" should have a non-empty comment');
  });
});
