import { readFileSync } from "node:fs";
import { expect } from "chai";
import { nodeComplaint } from "../../bootstrap/node-version.mjs";

describe("the check of Node's version", () => {
  it("accepts what is new enough", () => {
    for (const version of ["20.19.0", "v20.19.0", "20.20.2", "22.0.0", "100.1.0", "21.0.0-nightly"]) {
      expect(nodeComplaint(version, "20.19"), version).to.equal(null);
    }
  });

  it("names the version seen and the version needed where Node is too old", () => {
    for (const version of ["20.18.9", "18.20.4", "9.11.2", "v16.0.0"]) {
      expect(nodeComplaint(version, "20.19"), version).to.include(version).and.to.include("20.19");
    }
  });

  it("needs what package.json promises", () => {
    const { engines } = JSON.parse(readFileSync("package.json", "utf8"));
    const entry = readFileSync("bootstrap/main.mjs", "utf8");
    expect(engines.node).to.equal(">=20.19");
    expect(entry).to.include('"20.19"');
  });

  it("is reached by an old Node: nothing before it uses newer syntax", () => {
    const newer = /\?\?|\?\.|node:|#\w|^\s*await\b|^\s*import\b(?!.*node-version|\()/m;
    for (const file of ["bootstrap/main.mjs", "bootstrap/node-version.mjs"]) {
      const code = readFileSync(file, "utf8").replaceAll(/^\s*\/\/.*$/gm, "");
      expect(newer.exec(code)?.[0], file).to.equal(undefined);
    }
  });
});
