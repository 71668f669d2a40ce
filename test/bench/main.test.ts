import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";
import { benchesIn } from "../../bench/harness/benches.ts";
import { programArgs } from "../repository.ts";

const run = (...args: string[]) =>
  spawnSync(process.execPath, [...programArgs("bench/main"), ...args], { encoding: "utf8" });

describe("npm run bench", () => {
  it("lists what there is", () => {
    const { status, stdout } = run();
    expect({ status, stdout }).to.deep.equal({
      status: 0,
      stdout: "npm run bench -- NAME runs one of: fuzz, gateway, inference, jobs, language, registry, training\n",
    });
  });

  it("refuses an unknown name, and says which there are", () => {
    const { status, stderr, stdout } = run("regsitry");
    expect({ status, stdout }).to.deep.equal({ status: 1, stdout: "" });
    expect(stderr).to.equal(
      'amaas: unknown bench "regsitry", needed: fuzz, gateway, inference, jobs, language, registry, training\n',
    );
  });

  it("refuses an unknown scenario, and says which there are", () => {
    const { status, stderr } = run("registry", "raeds");
    expect(status).to.equal(1);
    expect(stderr).to.match(/unknown scenario "raeds" of registry, needed: reads, /);
  });

  it("finds a bench in a file or in a folder with a main", () => {
    const folder = mkdtempSync(join(tmpdir(), "amaas-test-"));
    try {
      for (const name of ["whole", "empty"]) mkdirSync(join(folder, name));
      const extension = extname(import.meta.url);
      const files = ["main", "single", "whole/main"].map((name) => `${name}${extension}`);
      for (const file of [...files, "notes.md"]) writeFileSync(join(folder, file), "");
      expect([...benchesIn(pathToFileURL(`${folder}/`)).keys()]).to.deep.equal(["single", "whole"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
