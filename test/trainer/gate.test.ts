import { expect } from "chai";
import type { Gate__Output } from "../../lib/gen/amaas/trainer/v1/Gate.ts";
import { type Gate, type GateContext, gateOf, verdictOf } from "../../services/trainer/jobs/gate.ts";

const classes: GateContext = { loss: { kind: "cross_entropy" }, alias: "default", hasHeldOut: true };
const told = (gate: Partial<Gate__Output>): Gate__Output => ({ metric: "", dataset: "", ...gate });
const atLeast = (metric: string, dataset = "") => told({ metric, dataset, bound: "atLeast", atLeast: 0.5 });
const sha256 = "a".repeat(64);

describe("a gate", () => {
  it("is read as it is told", () => {
    expect(gateOf(undefined, classes)).to.equal(undefined);
    const bound = { kind: "at_least", value: 0.5 };
    expect(gateOf(atLeast("validation_f1"), classes)).to.deep.equal({
      metric: "validation_f1",
      bound,
      dataset: undefined,
    });
    const less = told({ metric: "validation_loss", bound: "atMost", atMost: 2 });
    expect(gateOf(less, classes)).to.deep.include({ bound: { kind: "at_most", value: 2 } });
  });

  for (const [title, gate, context, words] of [
    ["without an alias to hold back", atLeast("validation_f1"), { ...classes, alias: undefined }, "target_alias"],
    ["without rows to measure", atLeast("validation_f1"), { ...classes, hasHeldOut: false }, "validation_share"],
    ["of a metric that the loss does not have", atLeast("validation_r2"), classes, "validation_accuracy"],
    ["of a metric under the wrong name", atLeast("accuracy"), classes, "validation_accuracy"],
    ["without a bound", told({ metric: "validation_f1" }), classes, "better_than_alias"],
    [
      "with a bound that is no number",
      told({ metric: "validation_f1", bound: "atLeast", atLeast: NaN }),
      classes,
      "finite",
    ],
    ["that is false", told({ metric: "validation_f1", bound: "betterThanAlias" }), classes, "true"],
  ] as const) {
    it(`${title} is refused`, () => {
      expect(() => gateOf(gate, context))
        .to.throw(words)
        .with.property("reason", "SPEC_INVALID");
    });
  }

  const of = (bound: Gate["bound"], metric = "validation_f1"): Gate => ({ metric, bound, dataset: undefined });

  it("lets pass what reaches its bound, and nothing that could not be measured", () => {
    const [least, most] = [of({ kind: "at_least", value: 0.5 }), of({ kind: "at_most", value: 0.5 })];
    expect([0.4, 0.5, 0.6].map((value) => verdictOf(least, value).passes)).to.deep.equal([false, true, true]);
    expect([0.4, 0.5, 0.6].map((value) => verdictOf(most, value).passes)).to.deep.equal([true, true, false]);
    expect(verdictOf(least, undefined)).to.deep.equal({
      passes: false,
      message: "validation_f1 is not defined for these rows; needed: at least 0.5",
    });
  });

  it("lets pass nothing that is not finite, and says so", () => {
    for (const bound of [
      { kind: "at_most", value: 5 },
      { kind: "at_least", value: 5 },
      { kind: "better_than_alias" },
    ]) {
      for (const value of [NaN, Infinity, -Infinity]) {
        const { passes, message } = verdictOf(of(bound as Gate["bound"], "validation_loss"), value);
        expect(passes).to.equal(false);
        expect(message).to.contain(`validation_loss is ${value}; needed`);
      }
      expect(verdictOf(of(bound as Gate["bound"]), null as never).passes).to.equal(false);
    }
    expect(verdictOf(of({ kind: "better_than_alias" }), 0.1, [{ version: "v", value: NaN }]).passes).to.equal(true);
  });

  it("lets pass what is better than each version of the alias, in the sense of the metric", () => {
    const [more, less] = [of({ kind: "better_than_alias" }), of({ kind: "better_than_alias" }, "mae")];
    const rivals = [0.5, 0.7].map((value, index) => ({ version: `models/m/versions/${index + 1}`, value }));
    expect([0.6, 0.7, 0.8].map((value) => verdictOf(more, value, rivals).passes)).to.deep.equal([false, false, true]);
    expect([0.4, 0.5, 0.6].map((value) => verdictOf(less, value, rivals).passes)).to.deep.equal([true, false, false]);
    expect(verdictOf(more, 0.6, rivals).message).to.equal(
      "validation_f1 is 0.6; needed: more than the 0.7 of models/m/versions/2",
    );
    expect(verdictOf(more, 0.1).passes).to.equal(true);
    expect(verdictOf(more, 0.1, [{ version: "v", value: undefined }]).passes).to.equal(true);
    expect(verdictOf(more, undefined).passes).to.equal(false);
  });

  it("may be of a dataset", () => {
    const gate = gateOf(atLeast("f1", `artifacts/${sha256}`), { ...classes, hasHeldOut: false });
    expect(gate).to.deep.include({ metric: "f1", dataset: `artifacts/${sha256}` });
  });
});
