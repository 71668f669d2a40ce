import { inspect } from "node:util";
import { expect } from "chai";
import fc from "fast-check";
import { int, ints } from "../../lib/onnx/attributes.ts";
import { elementsOf, elementTypes, type NumericDataType } from "../../lib/onnx/element-type.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { foldedElements } from "../../lib/onnx/folding/folded.ts";
import type { Attributes, Elements, Graph, Node, Value } from "../../lib/onnx/graph.ts";
import { type Operator, operators } from "../../lib/onnx/operators/operators.ts";
import { type Given, outputsOf } from "./running-model.ts";

/** One application of an operator to constants. */
interface Application {
  readonly operator: Operator;
  readonly inputs: readonly Given[];
  readonly attributes?: Attributes;
}

/** How often each kind of application is drawn; all of them run as one model. */
const runs = 25;

const size = fc.integer({ min: 0, max: 3 });
const shape = fc.array(size, { maxLength: 3 });
const some = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 });
const whole = fc.constantFrom<NumericDataType>("INT32", "INT64");
const floating = fc.constantFrom<NumericDataType>("FP32", "FP64");
const number = fc.oneof(whole, floating);
const anyType = fc.oneof(number, fc.constantFrom<NumericDataType>("BOOL", "UINT8", "INT8", "INT16", "UINT32"));
const sizes = (numbers: readonly number[]): Given => tensor("INT64", [numbers.length], numbers);

function tensor(dataType: NumericDataType, shape: readonly number[], numbers: readonly number[]): Given {
  return { dataType, shape, elements: elementsOf(dataType, numbers) };
}

function filled(dataType: NumericDataType, shape: readonly number[], nonZero = false): fc.Arbitrary<Given> {
  const length = shape.reduce((product, each) => product * each, 1);
  return fc
    .array(numberOf(dataType, nonZero), { minLength: length, maxLength: length })
    .map((numbers) => tensor(dataType, shape, numbers));
}

function numberOf(dataType: NumericDataType, nonZero: boolean): fc.Arbitrary<number> {
  const least = nonZero ? 1 : 0;
  if (dataType === "BOOL") return fc.integer({ min: 0, max: 1 });
  if (dataType.startsWith("UINT")) return fc.integer({ min: least, max: 255 });
  if (dataType === "INT8") return fc.integer({ min: -128, max: 127 });
  if (dataType === "INT16") return fc.integer({ min: -32768, max: 32767 });
  if (dataType === "FP32") return fc.oneof({ weight: 4, arbitrary: fc.float({ noNaN: true }) }, fc.constant(-0));
  if (dataType === "FP64") return fc.oneof({ weight: 4, arbitrary: fc.double({ noNaN: true }) }, fc.constant(-0));
  const most = dataType === "INT32" ? 2 ** 31 - 1 : Number.MAX_SAFE_INTEGER;
  return fc.oneof(fc.integer({ min: least, max: 9 }), fc.integer({ min: nonZero ? 1 : -most, max: most }));
}

/** Two or three operands that broadcast to each other. */
function operands(types: fc.Arbitrary<NumericDataType>, count: number, nonZero = false): fc.Arbitrary<Given[]> {
  return fc
    .tuple(types, shape, fc.array(fc.nat(3), { minLength: count, maxLength: count }))
    .chain(([type, full, drops]) =>
      fc.tuple(...drops.map((drop, index) => filled(type, full.slice(drop), nonZero && index > 0))),
    );
}

const elementwise = (operator: Operator, types: fc.Arbitrary<NumericDataType>, count: number, nonZero = false) =>
  operands(types, count, nonZero).map((inputs) => ({ operator, inputs }));

const applications: Readonly<Record<string, fc.Arbitrary<Application>>> = {
  ...Object.fromEntries(
    (["Add", "Sub", "Mul", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"] as const).map((operator) => [
      operator,
      elementwise(operator, number, 2),
    ]),
  ),
  "Div of floats": elementwise("Div", floating, 2),
  "Div of whole numbers": elementwise("Div", whole, 2, true),
  Mod: elementwise("Mod", whole, 2, true),
  Neg: elementwise("Neg", number, 1),
  Abs: elementwise("Abs", number, 1),
  Sqrt: floating.chain((type) =>
    filled(type, [2]).map((x) => ({ operator: "Sqrt", inputs: [{ ...x, elements: magnitudes(x) }] })),
  ),
  Floor: elementwise("Floor", floating, 1),
  Ceil: elementwise("Ceil", floating, 1),
  Min: elementwise("Min", whole, 3),
  Max: elementwise("Max", whole, 3),
  Not: elementwise("Not", fc.constant("BOOL"), 1),
  And: elementwise("And", fc.constant("BOOL"), 2),
  Or: elementwise("Or", fc.constant("BOOL"), 2),
  Xor: elementwise("Xor", fc.constant("BOOL"), 2),
  Where: fc.tuple(operands(number, 2), fc.boolean()).map(([[yes, no], first]) => ({
    operator: "Where",
    inputs: [tensor("BOOL", [], [first ? 1 : 0]), yes!, no!],
  })),
  Cast: fc
    .tuple(anyType, anyType, some)
    .chain(([from, to, shape]) =>
      filled(from, shape).map((x) => ({ operator: "Cast", inputs: [x], attributes: { to: int(elementTypes[to]) } })),
    ),
  Transpose: some.chain((shape) =>
    fc
      .tuple(filled("FP32", shape), fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }))
      .map(([x, perm]) => ({
        operator: "Transpose",
        inputs: [x],
        attributes: { perm: ints(perm) },
      })),
  ),
  Expand: fc.tuple(some, fc.nat(3)).chain(([shape, drop]) =>
    filled(
      "INT64",
      shape.slice(drop).map((each, axis) => (axis === 0 ? 1 : each)),
    ).map((x) => ({
      operator: "Expand",
      inputs: [x, sizes(shape)],
    })),
  ),
  Slice: some.chain((shape) =>
    fc
      .tuple(
        filled("FP32", shape),
        fc.integer({ min: -5, max: 5 }),
        fc.integer({ min: -5, max: 5 }),
        fc.constantFrom(-2, -1, 1, 2),
        fc.nat(),
      )
      .map(([x, start, end, step, axis]) => ({
        operator: "Slice",
        inputs: [x, sizes([start]), sizes([end]), sizes([(axis % shape.length) - shape.length]), sizes([step])],
      })),
  ),
  Gather: some.chain((shape) =>
    fc
      .tuple(filled("INT64", shape), fc.nat(), fc.array(fc.nat(), { maxLength: 3 }), fc.boolean())
      .map(([x, at, indices, isScalar]) => {
        const axis = at % shape.length;
        const within = indices.map((index) => (index % (2 * shape[axis]!)) - shape[axis]!);
        const given = isScalar ? tensor("INT64", [], [within[0] ?? 0]) : sizes(within);
        return { operator: "Gather", inputs: [x, given], attributes: { axis: int(axis) } };
      }),
  ),
  Concat: fc.tuple(some, fc.nat()).chain(([shape, at]) => {
    const axis = at % shape.length;
    return fc.tuple(filled("INT32", shape), filled("INT32", shape.with(axis, 2))).map((inputs) => ({
      operator: "Concat" as const,
      inputs,
      attributes: { axis: int(axis) },
    }));
  }),
  Reshape: some.chain((shape) => filled("FP32", shape).map((x) => ({ operator: "Reshape", inputs: [x, sizes([-1])] }))),
  Flatten: some.chain((shape) => filled("FP32", shape).map((x) => ({ operator: "Flatten", inputs: [x] }))),
  Squeeze: some.chain((shape) =>
    filled("FP32", [1, ...shape]).map((x) => ({ operator: "Squeeze", inputs: [x, sizes([0])] })),
  ),
  Unsqueeze: some.chain((shape) =>
    filled("FP32", shape).map((x) => ({ operator: "Unsqueeze", inputs: [x, sizes([-1])] })),
  ),
  Identity: some.chain((shape) => filled("FP64", shape).map((x) => ({ operator: "Identity", inputs: [x] }))),
  Range: fc
    .tuple(whole, fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 }), fc.constantFrom(-3, -1, 1, 2))
    .map(([type, ...numbers]) => ({ operator: "Range", inputs: numbers.map((each) => tensor(type, [], [each])) })),
  ConstantOfShape: fc.tuple(shape, fc.option(number)).map(([shape, type]) => ({
    operator: "ConstantOfShape",
    inputs: [sizes(shape)],
    ...(type !== null && { attributes: { value: { kind: "tensor", value: { name: "", ...tensor(type, [1], [7]) } } } }),
  })),
};

describe("a folded constant", () => {
  for (const [title, application] of Object.entries(applications)) {
    it(`of ${title} is to the last bit what the runtime gives`, async () => {
      const drawn = fc.sample(application, runs);
      const folded = drawn.map(foldedBy);
      const outputs = await outputsOf(modelOf(graphOf(drawn)));
      for (const [index, constant] of folded.entries()) {
        if (constant === undefined) continue;
        const given = outputs[`y${index}`]!;
        expect([constant.dataType, constant.shape]).to.deep.equal([given.dataType, given.shape], seen(drawn[index]!));
        expect(bitsOf(constant), seen(drawn[index]!)).to.equal(bitsOf(given));
      }
      expect(folded.filter((constant) => constant !== undefined).length).to.be.greaterThan(0);
    });
  }
});

function typeOf({ operator, inputs, attributes = {} }: Application) {
  return operators[operator](
    inputs.map((each, index) => ({ name: `x${index}`, ...each })),
    attributes,
  )[0]!;
}

function foldedBy(application: Application): Given | undefined {
  const { operator, inputs, attributes = {} } = application;
  const type = typeOf(application);
  const elements = foldedElements(operator, inputs as readonly Value[], attributes, type);
  return elements && { dataType: type.dataType, shape: type.shape as readonly number[], elements };
}

/** All applications beside each other, unfolded. */
function graphOf(applications: readonly Application[]): Graph {
  const initializers: Value[] = [];
  const nodes = applications.map((application, index): Node => {
    const { operator, inputs, attributes = {} } = application;
    const given = inputs.map((each, place) => ({ name: `x${index}.${place}`, ...each }));
    initializers.push(...given);
    const { dataType, shape } = typeOf(application);
    return {
      name: `n${index}`,
      operator,
      inputs: given,
      outputs: [{ name: `y${index}`, dataType, shape }],
      attributes,
    };
  });
  return { name: "applications", inputs: [], outputs: nodes.flatMap(({ outputs }) => outputs), initializers, nodes };
}

function magnitudes({ elements }: Given): Elements {
  return (elements as Float32Array).map(Math.abs);
}

function bitsOf({ elements }: Given): string {
  return Buffer.from(elements.buffer, elements.byteOffset, elements.byteLength).toString("hex");
}

function seen({ operator, inputs }: Application): string {
  const given = inputs.map(({ dataType, shape, elements }) => `${dataType} [${shape}] ${inspect(elements)}`);
  return `${operator} of ${given.join("; ")}`;
}
