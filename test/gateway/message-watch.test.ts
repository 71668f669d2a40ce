import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { MessageWatch } from "../../services/gateway/streams/message-watch.ts";

describe("the watch of a stream's messages", () => {
  const watched = (idleMs: number, msMax: number, isHeldUp: () => boolean = () => false) => {
    const slow: number[] = [];
    const watch = new MessageWatch({ idleMs, msMax }, { isHeldUp, onSlow: (bytes) => slow.push(bytes) });
    return { watch, slow };
  };
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await sleep(2);
  };

  it("notices a message that stands still, and says how much of it is there", async () => {
    const { watch, slow } = watched(10, 10_000);
    watch.note(7);
    await until(() => slow.length > 0);
    expect(slow).to.deep.equal([7]);
    watch.end();
  });

  it("lets a stream rest between messages, and after its end", async () => {
    const { watch, slow } = watched(10, 10_000);
    watch.note(7);
    watch.note(0);
    await sleep(40);
    watch.note(3);
    watch.end();
    await sleep(40);
    expect(slow).to.deep.equal([]);
  });

  it("notices a message that comes on, and is never there", () => {
    const { watch, slow } = watched(10_000, 20);
    const beganMs = performance.now();
    for (let bytes = 1; slow.length === 0 && performance.now() - beganMs < 5000; bytes++) watch.note(bytes);
    expect(slow).to.have.length(1);
    watch.end();
  });

  it("begins anew with each message", () => {
    const { watch, slow } = watched(10_000, 200);
    const beganMs = performance.now();
    // Each message is there in a moment, all of them together are not.
    while (performance.now() - beganMs < 400) {
      watch.note(1);
      watch.note(0);
    }
    expect(slow).to.deep.equal([]);
    watch.end();
  });

  it("does not count the time in which the gateway itself holds the caller up", async () => {
    let isHeldUp = true;
    const { watch, slow } = watched(10, 10_000, () => isHeldUp);
    watch.note(7);
    await sleep(60);
    expect(slow).to.deep.equal([]);
    isHeldUp = false;
    await until(() => slow.length > 0);
    watch.end();
  });
});
