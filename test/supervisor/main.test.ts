import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { FolderLock } from "../../lib/folder-lock.ts";
import { programArgs } from "../repository.ts";

describe("the supervisor's process", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "amaas-test-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function run(env: Record<string, string>) {
    return spawnSync(process.execPath, programArgs("supervisor/main"), {
      env: { ...process.env, ...env },
      encoding: "utf8",
    });
  }

  it("ends with code 78 and one line about a malformed setting", () => {
    const { status, stderr } = run({ AMAAS_DATA_DIR: folder, AMAAS_GATEWAY_PORT: "8001x" });
    expect(stderr).to.equal('amaas: AMAAS_GATEWAY_PORT: seen "8001x", needed a whole number from 0 to 65535\n');
    expect(status).to.equal(78);
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  it("ends with one line where the data directory is in use", () => {
    const lock = new FolderLock({ folder, holder: "supervisor", wayOut: "" });
    lock.acquire();
    const { status, stderr } = run({ AMAAS_DATA_DIR: folder });
    lock.release();
    expect(stderr).to.match(new RegExp(`^amaas: ${folder} is in use by process ${process.pid}: [^\n]+\n$`));
    expect(status).to.equal(1);
  });
});
