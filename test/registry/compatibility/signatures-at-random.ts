import fc from "fast-check";
import type { Signature, TensorSpec } from "../../../lib/tensor.ts";

const dataType = fc.constantFrom("FP32", "FP64", "INT32", "BYTES", "BOOL");
const size = fc.oneof(fc.nat({ max: 3 }), fc.constantFrom("n", "m", "?"));
const shape = fc.oneof(
  { weight: 5, arbitrary: fc.array(size, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constant(["..."]) },
);

const output = fc.record({ name: fc.constantFrom("a", "b", "c", "d"), dataType, shape });
const input = fc.record({ ...{ name: fc.constantFrom("a", "b", "c", "d"), dataType, shape }, optional: fc.boolean() });

const list = <Spec extends TensorSpec>(spec: fc.Arbitrary<Spec>) =>
  fc.uniqueArray(spec, { selector: ({ name }) => name, maxLength: 4 });

/** Any signature. */
export const anySignature: fc.Arbitrary<Signature> = fc.record({ inputs: list(input), outputs: list(output) });

/** Two that have much in common, as two versions have: of each tensor a little differs, or nothing. */
export const twoVersions: fc.Arbitrary<readonly [Signature, Signature]> = anySignature.chain((before) => {
  const after = fc.record({ inputs: edited(before.inputs, input), outputs: edited(before.outputs, output) });
  return fc.tuple(fc.constant(before), after);
});

/** One, and another one that its clients can call as well. */
export const successorOf = (before: Signature): fc.Arbitrary<Signature> => {
  const takesMore = (spec: TensorSpec) =>
    fc.record({ free: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), optional: fc.boolean() }).map((edit) => ({
      ...spec,
      optional: (spec.optional ?? false) || edit.optional,
      shape: spec.shape.map((axis, index) => (typeof axis === "number" && edit.free[index] ? "n" : axis)),
    }));
  const givesLess = (spec: TensorSpec) =>
    fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }).map((fix) => ({
      ...spec,
      shape: spec.shape.map((axis, index) => (typeof axis === "string" && axis !== "..." && fix[index] ? 2 : axis)),
    }));
  const isNew = (known: readonly TensorSpec[]) => (spec: TensorSpec) => known.every(({ name }) => name !== spec.name);
  return fc.record({
    inputs: fc
      .tuple(fc.tuple(...before.inputs.map(takesMore)), list(input))
      .map(([kept, more]) => [
        ...kept,
        ...more.filter(isNew(before.inputs)).map((spec) => ({ ...spec, optional: true })),
      ]),
    outputs: fc
      .tuple(fc.tuple(...before.outputs.map(givesLess)), list(output))
      .map(([kept, more]) => [...kept, ...more.filter(isNew(before.outputs))]),
  });
};

function edited<Spec extends TensorSpec>(
  before: readonly Spec[],
  spec: fc.Arbitrary<Spec>,
): fc.Arbitrary<readonly Spec[]> {
  const edit = (old: Spec) =>
    fc.oneof(
      { weight: 4, arbitrary: fc.constant([old]) },
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: spec.map((other) => [other]) },
      { weight: 2, arbitrary: spec.map(({ shape }) => [{ ...old, shape }]) },
      { weight: 1, arbitrary: spec.map(({ optional }) => [{ ...old, ...(optional !== undefined && { optional }) }]) },
    );
  return fc
    .tuple(fc.tuple(...before.map(edit)), fc.oneof(fc.constant([]), list(spec)))
    .map(([kept, added]) => [...new Map([...kept.flat(), ...added].map((one) => [one.name, one])).values()]);
}
