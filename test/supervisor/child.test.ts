import { expect } from "chai";
import { Child, type ChildState, type Ending, type Launched } from "../../supervisor/child.ts";
import { ManualClock } from "../manual-clock.ts";

const policy = { delayMsMin: 200, delayMsMax: 30_000, steadyMs: 60_000, crashesMax: 3, crashesMaxUnserved: 2 };

describe("a supervised process", () => {
  let clock: ManualClock;
  let runs: Run[];
  let states: ChildState[];
  let child: Child;
  beforeEach(() => {
    clock = new ManualClock();
    runs = [];
    states = [];
    child = new Child({
      name: "trainer",
      launch: async () => {
        const run = new Run(runs.length + 1);
        runs.push(run);
        return run;
      },
      policy,
      clock,
      random: () => 0.999_999,
      startTimeoutMs: 30_000,
      stopTimeoutMs: 12_000,
      onChange: (state) => states.push(state),
    });
  });

  it("is running once it says where it listens", async () => {
    const address = child.start();
    await settled();
    expect(child.state).to.deep.equal({ kind: "starting", pid: 1 });
    runs[0]?.serve("here:1");
    expect(await address).to.equal("here:1");
    expect(child.state).to.deep.equal({ kind: "running", pid: 1, address: "here:1" });
  });

  it("starts again after the pause when it crashed, and later each time", async () => {
    void child.start();
    await settled();
    runs[0]?.serve("here:1");
    await settled();
    for (const delayMs of [200, 400, 800]) {
      runs.at(-1)?.end({ exitCode: 1, reason: "bang" });
      await settled();
      expect(child.state).to.include({ kind: "backing-off", reason: "bang", delayMs });
      const count = runs.length;
      clock.advance(delayMs - 1);
      await settled();
      expect(runs.length).to.equal(count);
      clock.advance(1);
      await settled();
      expect(runs.length).to.equal(count + 1);
    }
    runs.at(-1)?.end({ exitCode: 1, reason: "bang" });
    await settled();
    expect(child.state).to.deep.equal({ kind: "failed", reason: "bang", exitCode: 1 });
  });

  it("is killed and counts as crashed where it does not serve in time", async () => {
    void child.start();
    await settled();
    clock.advance(30_000);
    await settled();
    expect(runs[0]?.signals).to.deep.equal(["kill"]);
    expect(child.state).to.include({ kind: "backing-off", reason: "did not serve within 30 s of its start" });
  });

  it("is not started again when a setting is malformed", async () => {
    const refusal = child.start().catch((failure: Error) => failure.message);
    await settled();
    runs[0]?.end({ exitCode: 78, reason: "AMAAS_X: seen 1, needed 2" });
    expect(await refusal).to.equal("trainer: AMAAS_X: seen 1, needed 2");
    expect(child.state.kind).to.equal("failed");
    clock.advance(1_000_000);
    await settled();
    expect(runs).to.have.length(1);
  });

  it("is asked to end, then killed when it takes too long", async () => {
    void child.start();
    await settled();
    runs[0]?.serve("here:1");
    await settled();
    const stopped = child.stop();
    await settled();
    expect(child.state).to.deep.equal({ kind: "stopping", pid: 1 });
    clock.advance(11_999);
    expect(runs[0]?.signals).to.deep.equal(["terminate"]);
    clock.advance(1);
    expect(runs[0]?.signals).to.deep.equal(["terminate", "kill"]);
    await stopped;
    expect(child.state).to.deep.equal({ kind: "stopped" });
  });

  it("does not start again when it is stopped during the pause", async () => {
    void child.start();
    await settled();
    runs[0]?.serve("here:1");
    runs[0]?.end({ exitCode: 1, reason: "bang" });
    await settled();
    await child.stop();
    clock.advance(1_000_000);
    await settled();
    expect(runs).to.have.length(1);
    expect(states.map(({ kind }) => kind)).to.deep.equal(["starting", "running", "backing-off", "stopped"]);
  });

  it("may be stopped twice, and without a start", async () => {
    await child.stop();
    await child.stop();
    expect(child.state).to.deep.equal({ kind: "stopped" });
  });
});

/** A run that ends when it is killed and when the test says so. */
class Run implements Launched {
  readonly signals: string[] = [];
  readonly pid: number;
  serve: (address: string) => void = () => undefined;
  end: (ending: Ending) => void = () => undefined;
  readonly ready = new Promise<string>((settle) => {
    this.serve = settle;
  });
  readonly ended = new Promise<Ending>((settle) => {
    this.end = settle;
  });

  constructor(pid: number) {
    this.pid = pid;
  }

  terminate(): void {
    this.signals.push("terminate");
  }

  kill(): void {
    this.signals.push("kill");
    this.end({ exitCode: null, reason: "ended by SIGKILL" });
  }
}

/** Lets every promise that can settle do so. */
function settled(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}
