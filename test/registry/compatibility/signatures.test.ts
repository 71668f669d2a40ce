import { expect } from "chai";
import fc from "fast-check";
import type { Signature, TensorSpec } from "../../../lib/tensor.ts";
import type { Difference } from "../../../services/registry/compatibility/difference.ts";
import * as signatures from "../../../services/registry/compatibility/signatures.ts";
import { isServed } from "./clients.ts";
import { anySignature, successorOf, twoVersions } from "./signatures-at-random.ts";

const differencesBetween = (before: Signature, after: Signature) => [...signatures.differencesBetween(before, after)];

const x: TensorSpec = { name: "x", dataType: "FP32", shape: ["batch", 4] };
const y: TensorSpec = { name: "y", dataType: "FP32", shape: ["batch", 2] };
const base: Signature = { inputs: [x], outputs: [y] };

const withInput = (changes: Partial<TensorSpec>): Signature => ({ ...base, inputs: [{ ...x, ...changes }] });
const withOutput = (changes: Partial<TensorSpec>): Signature => ({ ...base, outputs: [{ ...y, ...changes }] });
const more: TensorSpec = { name: "more", dataType: "INT64", shape: [] };

/** Kind and path of the only difference, and what it breaks. */
function only(before: Signature, after: Signature): string {
  const differences = differencesBetween(before, after);
  expect(differences).to.have.length(1);
  return said(differences[0]!);
}

function said({ kind, path, breaksBackward, breaksForward }: Difference): string {
  const broken = [breaksBackward ? "backward" : "", breaksForward ? "forward" : ""].filter((word) => word !== "");
  return `${kind} ${path}: ${broken.join(" and ")}`;
}

const rules: readonly (readonly [string, Signature, Signature, string])[] = [
  [
    "a new required input",
    base,
    { ...base, inputs: [x, more] },
    "REQUIRED_INPUT_ADDED inputs.more: backward and forward",
  ],
  [
    "a new optional input",
    base,
    { ...base, inputs: [x, { ...more, optional: true }] },
    "OPTIONAL_INPUT_ADDED inputs.more: forward",
  ],
  ["a removed required input", { ...base, inputs: [x, more] }, base, "INPUT_REMOVED inputs.more: backward and forward"],
  [
    "a removed optional input",
    { ...base, inputs: [x, { ...more, optional: true }] },
    base,
    "INPUT_REMOVED inputs.more: backward",
  ],
  ["a renamed input", base, withInput({ name: "pixels" }), "INPUT_RENAMED inputs.x: backward and forward"],
  [
    "an input that must be given now",
    withInput({ optional: true }),
    base,
    "INPUT_REQUIRED inputs.x.optional: backward",
  ],
  [
    "an input that may be left out now",
    base,
    withInput({ optional: true }),
    "INPUT_OPTIONAL inputs.x.optional: forward",
  ],
  ["a new output", base, { ...base, outputs: [y, more] }, "OUTPUT_ADDED outputs.more: forward"],
  ["a removed output", { ...base, outputs: [y, more] }, base, "OUTPUT_REMOVED outputs.more: backward"],
  ["a renamed output", base, withOutput({ name: "logits" }), "OUTPUT_RENAMED outputs.y: backward and forward"],
  ["a wider input", base, withInput({ dataType: "FP64" }), "TYPE_WIDENED inputs.x.data_type: backward and forward"],
  ["a narrower input", base, withInput({ dataType: "FP16" }), "TYPE_NARROWED inputs.x.data_type: backward and forward"],
  [
    "an input of another kind",
    base,
    withInput({ dataType: "BYTES" }),
    "TYPE_CHANGED inputs.x.data_type: backward and forward",
  ],
  ["a wider output", base, withOutput({ dataType: "FP64" }), "TYPE_WIDENED outputs.y.data_type: backward and forward"],
  [
    "an input of more axes",
    base,
    withInput({ shape: ["batch", 4, 1] }),
    "RANK_CHANGED inputs.x.shape: backward and forward",
  ],
  ["an input of any number of axes", base, withInput({ shape: ["..."] }), "RANK_CHANGED inputs.x.shape: forward"],
  [
    "an input of a certain number of axes",
    withInput({ shape: ["..."] }),
    base,
    "RANK_CHANGED inputs.x.shape: backward",
  ],
  ["an output of any number of axes", base, withOutput({ shape: ["..."] }), "RANK_CHANGED outputs.y.shape: backward"],
  [
    "an output of a certain number of axes",
    withOutput({ shape: ["..."] }),
    base,
    "RANK_CHANGED outputs.y.shape: forward",
  ],
  [
    "an input of another size",
    base,
    withInput({ shape: ["batch", 5] }),
    "SIZE_CHANGED inputs.x.shape[1]: backward and forward",
  ],
  ["an input of any size", base, withInput({ shape: ["batch", "width"] }), "SIZE_FREED inputs.x.shape[1]: forward"],
  ["an input of a certain size", base, withInput({ shape: [1, 4] }), "SIZE_FIXED inputs.x.shape[0]: backward"],
  ["an output of any size", base, withOutput({ shape: ["batch", "?"] }), "SIZE_FREED outputs.y.shape[1]: backward"],
  ["an output of a certain size", base, withOutput({ shape: [8, 2] }), "SIZE_FIXED outputs.y.shape[0]: forward"],
];

describe("signatures differ by", () => {
  for (const [what, before, after, difference] of rules) {
    it(what, () => expect(only(before, after)).to.equal(difference));
  }

  it("everything at once, in the order of the old one, then what is new", () => {
    const before: Signature = {
      inputs: [x, { name: "mask", dataType: "BOOL", shape: ["batch"] }, { name: "ids", dataType: "INT32", shape: [3] }],
      outputs: [y],
    };
    const after: Signature = {
      inputs: [more, { name: "ids", dataType: "INT64", shape: [4] }, { name: "valid", dataType: "BOOL", shape: ["n"] }],
      outputs: [{ ...y, shape: [1, 2] }],
    };
    expect(differencesBetween(before, after).map(said)).to.deep.equal([
      "INPUT_REMOVED inputs.x: backward and forward",
      "INPUT_RENAMED inputs.mask: backward and forward",
      "TYPE_WIDENED inputs.ids.data_type: backward and forward",
      "SIZE_CHANGED inputs.ids.shape[0]: backward and forward",
      "REQUIRED_INPUT_ADDED inputs.more: backward and forward",
      "SIZE_FIXED outputs.y.shape[0]: forward",
    ]);
  });

  it("nothing where only the order and the names of symbolic sizes differ", () => {
    const other = { ...more, shape: ["?", 3] };
    const before: Signature = { inputs: [x, other], outputs: [y, more] };
    const after: Signature = {
      inputs: [
        { ...other, shape: ["k", 3] },
        { ...x, shape: ["?", 4] },
      ],
      outputs: [more, y],
    };
    expect(differencesBetween(before, after)).to.deep.equal([]);
  });

  it("values and sentences that say what was and what is", () => {
    const [difference] = differencesBetween(base, withInput({ shape: ["batch", 5] }));
    expect(difference).to.include({
      oldValue: "4",
      newValue: "5",
      message: 'input "x" has size 5 instead of 4 on axis 1',
    });
    const [added] = differencesBetween(base, { ...base, inputs: [x, more] });
    expect(added).to.include({
      oldValue: "",
      newValue: "INT64 []",
      message: 'input "more", INT64 [], is new and must be given',
    });
    const [renamed] = differencesBetween(base, withOutput({ name: "logits" }));
    expect(renamed).to.include({ oldValue: "y", newValue: "logits", message: 'output "y" is called "logits"' });
  });

  it("sentences of bounded length, however long the names", () => {
    const long = "x".repeat(10_000);
    for (const after of [withInput({ name: long }), { ...base, inputs: [x, { ...more, name: long }] }]) {
      const [difference] = differencesBetween(base, after);
      expect(difference!.message.length).to.be.below(400);
    }
  });

  it("as many renames as there are, in time that grows with their number", () => {
    const many = (prefix: string): Signature => {
      const inputs = Array.from({ length: 20_000 }, (_, index) => ({ ...x, name: `${prefix}${index}` }));
      return { inputs, outputs: [] };
    };
    const begin = performance.now();
    const differences = differencesBetween(many("a"), many("b"));
    expect(differences).to.have.length(20_000);
    expect(differences[7]).to.include({ kind: "INPUT_RENAMED", oldValue: "a7", newValue: "b7" });
    expect(performance.now() - begin).to.be.below(5000);
  });
});

describe("differences between signatures", () => {
  const breaksBackward = (before: Signature, after: Signature) =>
    differencesBetween(before, after).some((difference) => difference.breaksBackward);
  const breaksForward = (before: Signature, after: Signature) =>
    differencesBetween(before, after).some((difference) => difference.breaksForward);

  it("break backward exactly where a node that serves the new version fails some client of the old one", () => {
    fc.assert(
      fc.property(twoVersions, ([before, after]) => {
        expect(breaksBackward(before, after)).to.equal(!isServed(before, after));
      }),
      { numRuns: 2000 },
    );
  });

  it("break forward exactly what they break backward the other way round, one by one", () => {
    fc.assert(
      fc.property(twoVersions, ([before, after]) => {
        const flags = (differences: readonly Difference[], turn: boolean) =>
          differences
            .map(({ breaksBackward: one, breaksForward: other }) => (turn ? `${other} ${one}` : `${one} ${other}`))
            .sort();
        const there = flags(differencesBetween(before, after), false);
        expect(there).to.deep.equal(flags(differencesBetween(after, before), true));
      }),
      { numRuns: 1000 },
    );
  });

  it("are none between a signature and itself, and each breaks something", () => {
    fc.assert(
      fc.property(twoVersions, ([before, after]) => {
        expect(differencesBetween(before, before)).to.deep.equal([]);
        for (const difference of differencesBetween(before, after)) {
          expect(difference.breaksBackward || difference.breaksForward).to.equal(true);
        }
      }),
    );
  });

  it("break the same in whatever order inputs and outputs stand", () => {
    fc.assert(
      fc.property(twoVersions, ([before, after]) => {
        const turned = { inputs: [...after.inputs].reverse(), outputs: [...after.outputs].reverse() };
        expect(breaksBackward(before, turned)).to.equal(breaksBackward(before, after));
        expect(breaksForward(before, turned)).to.equal(breaksForward(before, after));
      }),
    );
  });

  it("break nothing backward where only more is taken, and less, or more outputs, given; nor after two such steps", () => {
    const steps = anySignature.chain((first) =>
      successorOf(first).chain((second) => successorOf(second).map((third) => [first, second, third] as const)),
    );
    fc.assert(
      fc.property(steps, ([first, second, third]) => {
        expect(breaksBackward(first, second)).to.equal(false);
        expect(breaksForward(second, first)).to.equal(false);
        expect(breaksBackward(first, third)).to.equal(false);
      }),
      { numRuns: 500 },
    );
  });
});
