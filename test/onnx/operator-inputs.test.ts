import { expect } from "chai";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import type { Attributes, Value } from "../../lib/onnx/graph.ts";
import { type Operator, operators } from "../../lib/onnx/operators/operators.ts";
import { type Given, type Wrong, wrongInputs } from "./wrong-inputs.ts";

describe("an operator refuses what it cannot take, with the reason:", () => {
  for (const [operator, cases] of Object.entries(wrongInputs) as [Operator, readonly Wrong[]][]) {
    it(operator, () => {
      for (const [inputs, message, attributes] of cases) {
        expect(() => appended(operator, inputs, attributes), `${message}`).to.throw(message);
      }
    });
  }

  it("any, where it is given more inputs than it has, or none", () => {
    for (const operator of Object.keys(operators) as Operator[]) {
      expect(() => appended(operator, () => []), operator).to.throw(new RegExp(`${operator} takes .* inputs, not 0`));
    }
    expect(() => appended("Exp", ({ floats }) => [floats(2), floats(2)])).to.throw(/Exp takes 1 inputs, not 2/);
    expect(() => appended("Slice", ({ floats, sizes }) => [floats(2), undefined, sizes(1)])).to.throw(
      /Slice takes 3 to 5 inputs, not 2/,
    );
  });
});

function appended(operator: Operator, inputs: Wrong[0], attributes: Attributes = {}): void {
  const graph = new GraphBuilder("wrong");
  const ofType =
    (dataType: Value["dataType"]) =>
    (...shape: (number | string)[]) =>
      graph.input("given", dataType, shape);
  const given: Given = {
    floats: ofType("FP32"),
    integers: ofType("INT64"),
    truths: ofType("BOOL"),
    sizes: (...numbers) => graph.sizes(numbers),
  };
  graph.many(operator, inputs(given), attributes);
}
