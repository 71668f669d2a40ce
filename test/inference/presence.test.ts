import { expect } from "chai";
import { Presence } from "../../services/inference/replicas/presence.ts";
import { ManualClock } from "../manual-clock.ts";
import { settled } from "./hand-driven-instance.ts";

describe("the presence of requests", () => {
  it("tells everybody who asks when the last one has left, and nobody waits for longer than they want to", async () => {
    const clock = new ManualClock();
    const presence = new Presence();
    const leave = presence.enter();
    const told: string[] = [];
    const ask = (name: string, msMax: number) => void presence.left(clock, msMax).then(() => told.push(name));
    ask("first", 100);
    ask("hasty", 5);
    ask("second", 100);
    clock.advance(5);
    await settled();
    expect(told).to.deep.equal(["hasty"]);
    leave();
    leave();
    await settled();
    expect(told).to.deep.equal(["hasty", "first", "second"]);
    ask("late", 100);
    await settled();
    expect(told.at(-1)).to.equal("late");
  });
});
