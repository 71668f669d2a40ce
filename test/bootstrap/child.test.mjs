import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";

const bootstrap = (file) => JSON.stringify(pathToFileURL(`bootstrap/${file}`).href);

describe("a command's process", () => {
  let folder;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "amaas-test-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Starts a program below a parent that runs it as the bootstrap does; `line` waits for the next line of its output. */
  function started(program) {
    writeFileSync(join(folder, "program.mjs"), program);
    const parent = `
      import { runChild } from ${bootstrap("child.mjs")};
      const program = ${JSON.stringify(join(folder, "program.mjs"))};
      process.exitCode = await runChild(process.execPath, ["bootstrap/launch.mjs", program, "one", "two"], { lifeline: true });`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", parent], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = child.stdout.setEncoding("utf8");
    return { child, line: async () => (await once(lines, "data"))[0].trim() };
  }

  it("passes the arguments and the exit code on", async () => {
    const { child, line } = started("console.log(process.argv.slice(2).join()); process.exitCode = 7;");
    expect(await line()).to.equal("one,two");
    expect(await once(child, "exit")).to.deep.equal([7, null]);
  });

  it("gets a signal once that reaches its parent twice, and is waited for", async () => {
    const { child, line } = started(`
      let count = 0;
      process.on("SIGINT", () => {
        count += 1;
        if (count === 1) setTimeout(() => { console.log(count); process.exit(5); }, 200);
      });
      setInterval(() => {}, 1000);
      console.log("ready");`);
    expect(await line()).to.equal("ready");
    child.kill("SIGINT");
    setTimeout(() => child.kill("SIGINT"), 20);
    expect(await line()).to.equal("1");
    expect(await once(child, "exit")).to.deep.equal([5, null]);
  });

  it("ends with 128 and the signal's number where a signal ended it", async () => {
    const { child } = started('process.kill(process.pid, "SIGTERM");');
    expect(await once(child, "exit")).to.deep.equal([143, null]);
  });

  it("ends when its parent is killed", async () => {
    const { child, line } = started(`
      process.on("SIGTERM", () => { console.log("ended"); process.exit(0); });
      setInterval(() => {}, 1000);
      console.log("ready");`);
    expect(await line()).to.equal("ready");
    child.kill("SIGKILL");
    expect(await line()).to.equal("ended");
  });
});
