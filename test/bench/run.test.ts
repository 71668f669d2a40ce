import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { tableOf } from "../../bench/harness/report.ts";
import { runScenarios } from "../../bench/harness/run.ts";
import type { Scenario } from "../../bench/harness/scenario.ts";

const good: Scenario = async () => [{ metric: "m", unit: "ms", runs: [{ value: 1 }] }];
const bad: Scenario = async () => {
  throw new Error("the peer cannot be installed\n    at somewhere");
};

describe("the scenarios of a bench", () => {
  let folder: string;
  let told: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "amaas-test-"));
    told = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = (scenarios: Record<string, Scenario>, signal = new AbortController().signal) => {
    const kept: number[] = [];
    const options = { folder, env: {}, tell: (line: string) => told.push(line), signal };
    return runScenarios(scenarios, options, (rows) => kept.push(rows.length)).then((result) => ({ ...result, kept }));
  };

  it("are all run though one fails, whose row says why", async () => {
    const { rows, areAllMeasured, kept } = await run({ first: good, peer: bad, last: good });
    expect(rows.map(({ metric, met }) => [metric, met])).to.deep.equal([
      ["m", null],
      ["peer", false],
      ["m", null],
    ]);
    expect(rows[1]).to.include({ value: null, goal: "is measured", reason: "the peer cannot be installed" });
    expect({ areAllMeasured, kept }).to.deep.equal({ areAllMeasured: false, kept: [1, 2, 3] });
    expect(tableOf(rows)).to.match(/\nNOT MET peer: the peer cannot be installed$/);
    expect((await run({ first: good })).areAllMeasured).to.equal(true);
  });

  it("have a folder each that is there no longer, whatever has become of them", async () => {
    let own = "";
    const failing: Scenario = async (place) => {
      own = place.folder;
      throw new Error(`in ${existsSync(own)}`);
    };
    const { rows } = await run({ failing });
    expect(rows[0]!.reason).to.equal("in true");
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  it("end where the user has had enough", async () => {
    const enough = new AbortController();
    const endless: Scenario = () => {
      enough.abort();
      return new Promise(() => undefined);
    };
    const failure = await run({ endless, never: good }, enough.signal).catch((thrown: Error) => thrown);
    expect(failure).to.be.instanceOf(Error).with.property("message", "interrupted");
  });
});
