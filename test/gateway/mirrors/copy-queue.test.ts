import { expect } from "chai";
import { CopyQueue } from "../../../services/gateway/mirrors/copy-queue.ts";

describe("the queue of copies", () => {
  it("holds no more copies and bytes than it may", () => {
    const queue = new CopyQueue({ copiesMax: 2, bytesMax: 100, callsMax: 1 });
    expect([queue.enter(50), queue.enter(60), queue.enter(40), queue.enter(1)]).to.deep.equal([
      true,
      false,
      true,
      false,
    ]);
    expect([queue.hold(10), queue.hold(1)]).to.deep.equal([true, false]);
    queue.leave(50);
    queue.release(10);
    expect([queue.copies, queue.bytes]).to.deep.equal([1, 40]);
  });

  it("lets a few at a time go to each version, in their order", async () => {
    const queue = new CopyQueue({ copiesMax: 100, bytesMax: 100, callsMax: 2 });
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    const run = (version: string, name: string) =>
      queue.run(version, () => {
        begun.push(name);
        return new Promise<void>((resolve) => ends.set(name, resolve));
      });
    const all = ["a1", "a2", "a3", "a4", "b1"].map((name) => run(name[0]!, name));
    await undefined;
    expect(begun).to.deep.equal(["a1", "a2", "b1"]);
    ends.get("a2")!();
    await all[1];
    expect(begun.at(-1)).to.equal("a3");
    for (const name of ["a1", "a3", "b1"]) ends.get(name)!();
    await Promise.all([all[0], all[2], all[4]]);
    ends.get("a4")!();
    await all[3];
    expect(begun).to.deep.equal(["a1", "a2", "b1", "a3", "a4"]);
  });
});
