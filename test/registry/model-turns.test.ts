import { expect } from "chai";
import { ModelTurns } from "../../services/registry/store/model-turns.ts";

describe("models that take turns", () => {
  function turnsOf(models: readonly string[], count: number, turns = new ModelTurns()): readonly string[] {
    return Array.from({ length: count }, () => {
      const [next] = turns.inOrder(models);
      turns.took(next!, models);
      return next!;
    });
  }

  it("each have one before any has another", () => {
    expect(turnsOf(["a", "b", "c"], 6)).to.deep.equal(["a", "b", "c", "a", "b", "c"]);
  });

  it("come behind one that has had none", () => {
    const turns = new ModelTurns();
    turnsOf(["a"], 5, turns);
    expect(turns.inOrder(["a", "new"])).to.deep.equal(["new", "a"]);
    turns.took("new", ["a", "new"]);
    expect(turns.inOrder(["new", "a"])).to.deep.equal(["a", "new"]);
  });

  it("are forgotten once they do not wait any more, but for the last", () => {
    const turns = new ModelTurns();
    turnsOf(["a", "b"], 2, turns);
    turns.took("c", ["c"]);
    expect(turns.inOrder(["c", "b", "a"])).to.deep.equal(["b", "a", "c"]);
  });
});
