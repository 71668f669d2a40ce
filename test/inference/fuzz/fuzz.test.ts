import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { breach } from "../../../bench/fuzz/broken-frames.ts";
import { heldModels } from "../../../bench/fuzz/models.ts";
import { fuzz } from "../../../bench/fuzz/run.ts";
import { type RunningNode, startNode } from "../../../bench/inference/running-node.ts";
import { loaderArgs } from "../../repository.ts";

const seed = 7;
/** `npm run bench -- fuzz` makes many more. */
const callCount = 600;
const breachCount = 33;

describe("a node among malformed calls", function () {
  this.timeout(120_000);
  const ends: (() => unknown)[] = [];
  let folder: string;
  let node: RunningNode;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "amaas-fuzz-"));
    const env = { ...process.env, NODE_OPTIONS: loaderArgs.join(" ") };
    const place = { folder, env, tell: () => undefined, atEnd: (step: () => unknown) => ends.push(step) };
    node = await startNode(place, { name: "fuzz", models: heldModels() });
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
    await rm(folder, { recursive: true, force: true });
  });

  it("answers each with a status, and takes the blame for none", async () => {
    const outcome = await fuzz({ port: node.port, seed, first: 0, count: callCount });
    const { messages, statuses, unanswered, blamed } = outcome;
    expect({ unanswered, blamed }).to.deep.equal({ unanswered: [], blamed: [] });
    expect(messages).to.be.above(callCount);
    expect(statuses).to.include.keys("OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED");
  });

  it("outlives connections that break HTTP/2", async () => {
    await Promise.all(Array.from({ length: breachCount }, (_, index) => breach(node.port, seed, index)));
    const { unanswered } = await fuzz({ port: node.port, seed, first: callCount, count: 20 });
    expect(unanswered).to.deep.equal([]);
  });
});
