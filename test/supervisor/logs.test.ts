import { appendFileSync, closeSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { LogFile } from "../../supervisor/logs.ts";

describe("a log file", () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "amaas-test-"));
    path = join(folder, "service.log");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("is put aside for a new run once it is too long", () => {
    const log = new LogFile(path, 10);
    appendFileSync(path, "0123456789");
    closeSync(log.open());
    expect(statSync(path).size).to.equal(10);
    appendFileSync(path, "+");
    closeSync(log.open());
    expect(statSync(path).size).to.equal(0);
    expect(readFileSync(`${path}.1`, "utf8")).to.equal("0123456789+");
  });

  it("is bounded under a process that goes on writing", () => {
    const log = new LogFile(path, 10);
    const descriptor = log.open();
    writeSync(descriptor, "a line too long\n");
    log.trim();
    writeSync(descriptor, "next\n");
    closeSync(descriptor);
    expect(readFileSync(path, "utf8")).to.equal("next\n");
    expect(readFileSync(`${path}.1`, "utf8")).to.equal("a line too long\n");
  });

  it("is bounded even where there is no room to put it aside", () => {
    const log = new LogFile(path, 10);
    closeSync(log.open());
    appendFileSync(path, "a line too long\n");
    mkdirSync(`${path}.1`);
    log.trim();
    expect(readFileSync(path, "utf8")).to.equal("");
  });

  it("opens for a new run even where it cannot be put aside", () => {
    const log = new LogFile(path, 10);
    appendFileSync(path, "a line too long\n");
    mkdirSync(`${path}.1`);
    closeSync(log.open());
    expect(readFileSync(path, "utf8")).to.equal("a line too long\n");
  });

  it("has no last words once it was removed", () => {
    const log = new LogFile(path, 10);
    closeSync(log.open());
    rmSync(path);
    log.trim();
    expect(log.lastWords()).to.equal(null);
  });

  it("gives the last words of the current run that are for people", () => {
    const log = new LogFile(path, 10_000);
    appendFileSync(path, "an earlier run's complaint\n");
    const descriptor = log.open();
    expect(log.lastWords()).to.equal(null);
    writeSync(
      descriptor,
      '{"level":"info"}\nfile:///x.js:1\n    throw y;\n    ^\n\nError: the disk is full\n    at x.js:1\n\nNode.js v20\n',
    );
    closeSync(descriptor);
    expect(log.lastWords()).to.equal("Error: the disk is full");
  });
});
