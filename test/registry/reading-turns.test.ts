import { expect } from "chai";
import { ReadingTurns } from "../../services/registry/artifacts/reading-turns.ts";

describe("turns to read an artifact", () => {
  const { signal } = new AbortController();
  const pause = () => new Promise<void>((resume) => setImmediate(resume));

  it("come one at a time and in order, also after a failure", async () => {
    const turns = new ReadingTurns(10);
    const seen: string[] = [];
    const read = (name: string) => async () => {
      seen.push(`${name} begins`);
      await pause();
      seen.push(`${name} ends`);
      if (name === "a") throw new Error("unreadable");
    };
    const settled = await Promise.allSettled(["a", "b"].map((name) => turns.during(read(name), signal)));
    expect(settled.map((each) => each.status)).to.deep.equal(["rejected", "fulfilled"]);
    expect(seen).to.deep.equal(["a begins", "a ends", "b begins", "b ends"]);
  });

  it("are refused with QUEUE_FULL above the bound, and given again once there is room", async () => {
    const turns = new ReadingTurns(1);
    const accepted = [turns.during(pause, signal), turns.during(pause, signal)];
    const refused = await turns.during(pause, signal).catch((fault: unknown) => fault);
    expect(refused).to.have.property("reason", "QUEUE_FULL");
    await Promise.all(accepted);
    await turns.during(pause, signal);
  });

  it("are not taken by callers that have gone", async () => {
    const turns = new ReadingTurns(1);
    let read = false;
    const gone = turns.during(
      async () => {
        read = true;
      },
      AbortSignal.abort(new Error("gone")),
    );
    expect(await gone.catch((fault: Error) => fault.message)).to.equal("gone");
    expect(read).to.equal(false);
  });
});
