import { expect } from "chai";
import { AnswerOrder } from "../../services/inference/batching/answer-order.ts";

describe("the order of answers", () => {
  /** An order with the places a, b and c, and the answers that have been given. */
  const open = () => {
    const order = new AnswerOrder();
    const given: string[] = [];
    const [a, b, c] = [..."abc"].map((name) => {
      const place = order.enter();
      return {
        answer: () => order.answer(place, () => given.push(name)),
        leave: () => order.leave(place),
      };
    });
    return { order, given, a, b, c };
  };

  it("holds answers back until those before them are there, and counts them", () => {
    const { order, given, a, b, c } = open();
    c.answer();
    b.answer();
    expect([given, order.heldCount]).to.deep.equal([[], 2]);
    a.answer();
    expect([given, order.heldCount]).to.deep.equal([["a", "b", "c"], 0]);
  });

  it("holds nothing back because of one that has left", () => {
    const { order, given, a, b, c } = open();
    b.leave();
    c.answer();
    expect(given).to.deep.equal([]);
    a.leave();
    expect([given, order.heldCount]).to.deep.equal([["c"], 0]);
  });

  it("gives no answer that has left while it was held back", () => {
    const { order, given, a, b, c } = open();
    b.answer();
    b.leave();
    expect(order.heldCount).to.equal(0);
    a.answer();
    c.answer();
    expect(given).to.deep.equal(["a", "c"]);
  });

  it("lets one leave that has had its turn, which changes nothing", () => {
    const { order, given, a, b, c } = open();
    a.answer();
    a.leave();
    c.answer();
    expect(order.heldCount).to.equal(1);
    b.answer();
    expect(given).to.deep.equal(["a", "b", "c"]);
  });
});
