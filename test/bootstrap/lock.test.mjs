import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";
import { locked } from "../../bootstrap/lock.mjs";

describe("the lock of a checkout's set-up", () => {
  let folder;
  let lock;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "amaas-test-"));
    lock = join(folder, "lock");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("lets one process work at a time", async () => {
    const journal = join(folder, "journal");
    writeFileSync(journal, "");
    const program = `
      import { appendFileSync } from "node:fs";
      import { setTimeout as sleep } from "node:timers/promises";
      import { locked } from ${JSON.stringify(pathToFileURL("bootstrap/lock.mjs").href)};
      await locked(async () => {
        appendFileSync(${JSON.stringify(journal)}, "in\\n");
        await sleep(20);
        appendFileSync(${JSON.stringify(journal)}, "out\\n");
      }, ${JSON.stringify(lock)});`;
    const processes = Array.from({ length: 5 }, () =>
      spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: "ignore" }),
    );
    await Promise.all(processes.map((child) => once(child, "exit")));
    expect(readFileSync(journal, "utf8")).to.equal("in\nout\n".repeat(5));
    expect(readdirSync(lock)).to.deep.equal([]);
  });

  it("is not held by the dead", async () => {
    const dead = spawn(process.execPath, ["--version"], { stdio: "ignore" });
    await once(dead, "exit");
    mkdirSync(lock);
    writeFileSync(join(lock, `${hostname()}:${dead.pid}`), "");
    expect(await locked(async () => "done", lock)).to.equal("done");
    expect(readdirSync(lock)).to.deep.equal([]);
  });

  it("is released when the work fails", async () => {
    const failure = await locked(() => Promise.reject(new Error("bang")), lock).catch((caught) => caught.message);
    expect(failure).to.equal("bang");
    expect(readdirSync(lock)).to.deep.equal([]);
  });
});
