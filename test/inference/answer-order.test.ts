import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "chai";
import { AnswerOrder } from "../../services/inference/batching/answer-order.ts";
import { settled } from "./hand-driven-instance.ts";

describe("the order of answers", () => {
  /** An order, and answers that come when the test says so. */
  const open = () => {
    const order = new AnswerOrder();
    const seen: string[] = [];
    const answers: { give(): void; fail(): void }[] = [];
    for (const name of "abc") {
      const answer = new Promise<string>((resolve, reject) => {
        answers.push({ give: () => resolve(name), fail: () => reject(new Error(`no ${name}`)) });
      });
      order.keep(answer).then(
        (value) => seen.push(value),
        (failure: Error) => seen.push(failure.message),
      );
    }
    return { order, seen, answers };
  };

  it("holds answers back until those before them are there, and counts them", async () => {
    const { order, seen, answers } = open();
    answers[2].give();
    answers[1].give();
    await settled();
    expect([seen, order.heldCount]).to.deep.equal([[], 2]);
    answers[0].give();
    await settled();
    expect([seen, order.heldCount]).to.deep.equal([["a", "b", "c"], 0]);
  });

  it("holds no fault back, nor anything because of one", async () => {
    const { seen, answers } = open();
    answers[1].fail();
    answers[2].give();
    await settled();
    expect(seen).to.deep.equal(["no b"]);
    answers[0].fail();
    await settled();
    expect(seen).to.deep.equal(["no b", "no a", "c"]);
  });

  it("keeps nothing of answers that were given", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage: () => void = runInNewContext("gc");
    const order = new AnswerOrder();
    const given: WeakRef<object>[] = [];
    for (let count = 0; count < 10; count++) given.push(new WeakRef(await order.keep(Promise.resolve({}))));
    await settled();
    collectGarbage();
    expect(given.slice(0, -1).map((answer) => answer.deref())).to.deep.equal(Array(9).fill(undefined));
    expect(await order.keep(Promise.resolve(1))).to.equal(1);
  });
});
