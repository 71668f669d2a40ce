import { existsSync } from "node:fs";
import { expect } from "chai";
import { textOf } from "./manifests.ts";

const instructions = textOf("deploy/Dockerfile")
  .replaceAll(/\\\n\s*/g, "")
  .split("\n")
  .filter((line) => /^[A-Z]+ /.test(line))
  .map((line) => {
    const [, name, rest] = /^([A-Z]+) (.*)$/.exec(line)!;
    return { name: name!, rest: rest! };
  });
const last = instructions.slice(instructions.findLastIndex(({ name }) => name === "FROM"));

describe("the Dockerfile", () => {
  it("copies files that exist and that the build context holds", () => {
    const context = textOf(".dockerignore").split("\n");
    for (const path of copied((from) => from === null)) {
      expect(existsSync(path), path).to.equal(true);
      expect(context, path).to.include(`!${path.split("/")[0]}`);
    }
  });

  it("copies from stages that it has", () => {
    const stages = instructions.flatMap(({ name, rest }) => (name === "FROM" ? (rest.split(" AS ")[1] ?? []) : []));
    const used = instructions.flatMap(({ rest }) => /--from=(\w+)/.exec(rest)?.[1] ?? []);
    expect(stages).to.include.members(used);
  });

  it("copies every folder that the build reads", () => {
    const { include } = JSON.parse(textOf("tsconfig.build.json"));
    const present = include.filter((folder: string) => existsSync(folder) && folder !== "bench");
    expect(copied((from) => from === null)).to.include.members([...present, "protos", "bootstrap"]);
  });

  it("runs as a numeric user that is not root", () => {
    expect(last.find(({ name }) => name === "USER")?.rest).to.match(/^[1-9]\d+(:[1-9]\d+)?$/);
  });

  it("starts the service without a shell, so that SIGTERM reaches it", () => {
    const commands = last.filter(({ name }) => name === "CMD" || name === "ENTRYPOINT");
    expect(commands).to.have.length(1);
    expect(JSON.parse(commands[0]!.rest)[0]).to.equal("node");
  });

  it("leaves development packages out of the image", () => {
    const installs = instructions.filter(({ name, rest }) => name === "RUN" && rest.includes("npm ci"));
    expect(installs.map(({ rest }) => rest.includes("--omit=dev"))).to.deep.equal([false, true]);
    expect(last.some(({ rest }) => rest.startsWith("--from=packages "))).to.equal(true);
  });
});

/** The sources of every COPY whose stage is accepted; null is the build context. */
function copied(accepts: (from: string | null) => boolean): string[] {
  return instructions.flatMap(({ name, rest }) => {
    if (name !== "COPY") return [];
    const from = /--from=(\w+)/.exec(rest)?.[1] ?? null;
    const paths = rest.split(" ").filter((word) => !word.startsWith("--"));
    return accepts(from) ? paths.slice(0, -1) : [];
  });
}
