import fc from "fast-check";
import { arrays, elementTypes, type NumericDataType } from "../../lib/onnx/element-type.ts";
import type { Messages } from "../../lib/onnx/message-type.ts";
import type { ModelProto } from "../../lib/onnx/model.ts";
import { messages } from "../../lib/onnx/schema.ts";

/**
 * Models in which any field of the format may be set. Few names, so that values are used, hidden by subgraphs and not there at all; tensors
 * hold as many elements as their shapes say, in every way there is.
 */
export function generatedModel(depth = 5): fc.Arbitrary<ModelProto> {
  const more = { irVersion: fc.constant(10), graph: message("GraphProto", depth) };
  return fc.record({ ...fieldsOf("ModelProto", depth), ...more }, { requiredKeys: ["irVersion", "graph"] });
}

const name = fc.constantFrom("", "x", "y", "z", "w");
const large = fc.record({
  low: fc.integer(),
  high: fc.integer({ min: 2 ** 22, max: 2 ** 31 - 1 }),
  unsigned: fc.constant(false),
});
const scalars: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  int32: fc.integer({ min: 0, max: 30 }),
  int64: fc.oneof(fc.maxSafeInteger(), large),
  uint64: fc.maxSafeNat(),
  float: fc.float(),
  double: fc.double(),
  string: name,
  bytes: fc.uint8Array({ maxLength: 4 }),
};

const made = new Map<string, fc.Arbitrary<object>>();

/** Made once, since messages hold each other. */
function message(type: string, depth: number): fc.Arbitrary<object> {
  const key = `${type} ${depth}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const isParticular = Object.hasOwn(particular, type);
  const arbitrary = isParticular
    ? particular[type as keyof typeof particular](depth)
    : fc.record(fieldsOf(type, depth), { requiredKeys: [] });
  made.set(key, arbitrary);
  return arbitrary;
}

/** Fields that hold messages are left out at the last depth. */
function fieldsOf(type: string, depth: number): Record<string, fc.Arbitrary<unknown>> {
  const fields = Object.entries((messages as Messages)[type]!).flatMap(([field, [, described]]) => {
    const [base = "", mark] = described.split("[");
    if (!Object.hasOwn(scalars, base) && depth <= 0) return [];
    const single = scalars[base] ?? message(base, depth - 1);
    return [[field, mark === undefined ? single : fc.array(single, { minLength: 1, maxLength: 2 })] as const];
  });
  return Object.fromEntries(fields);
}

const particular = {
  OperatorSetIdProto: () => fc.record({ domain: name, version: fc.nat(30) }, { requiredKeys: [] }),
  NodeProto: (depth: number) => {
    const attribute = fc.uniqueArray(message("AttributeProto", depth - 1), {
      maxLength: 3,
      selector: (each) => (each as { readonly name?: string }).name ?? "",
    });
    return fc.record({ ...fieldsOf("NodeProto", depth), ...(depth > 0 && { attribute }) }, { requiredKeys: [] });
  },
  TensorProto: (depth: number) => fc.oneof(tensor(fc.array(fc.nat(3), { maxLength: 3 }), depth), untyped(depth)),
  SparseTensorProto: (depth: number) =>
    fc.tuple(fc.nat(3), fc.boolean()).chain(([count, hasCoordinates]) =>
      fc.record({
        values: tensor(fc.constant([count]), depth),
        indices: fc.constant({
          dims: hasCoordinates ? [count, 2] : [count],
          dataType: elementTypes.INT64,
          int64Data: [...Array(count).keys()].flatMap((index) => (hasCoordinates ? [index, 1] : [2 * index + 1])),
        }),
        dims: fc.constant([3, 2]),
      }),
    ),
};

/** With the elements in any field that may hold them. */
function tensor(dims: fc.Arbitrary<number[]>, depth: number): fc.Arbitrary<object> {
  const types = Object.keys(arrays) as NumericDataType[];
  return fc.tuple(fc.constantFrom(...types), dims, fc.boolean(), rest(depth)).map(([dataType, dims, isRaw, more]) => {
    const count = dims.reduce((product, size) => product * size, 1);
    const numbers = [...Array(count).keys()];
    const rawData = new Uint8Array(count * arrays[dataType].BYTES_PER_ELEMENT).fill(count);
    const data = isRaw ? { rawData } : { [fields[dataType] ?? "int32Data"]: numbers };
    return { ...more, dims, dataType: elementTypes[dataType], ...data };
  });
}

const fields: Partial<Record<NumericDataType, string>> = {
  FP32: "floatData",
  FP64: "doubleData",
  INT64: "int64Data",
  UINT64: "uint64Data",
  UINT32: "uint64Data",
};

/** Texts, complex numbers, 8- and 4-bit floats, and what is not there yet. */
function untyped(depth: number): fc.Arbitrary<object> {
  const all = {
    ...fieldsOf("TensorProto", depth),
    dataType: fc.constantFrom(8, 14, 15, 17, 22, 99),
    dims: fc.constant([2]),
  };
  return fc.record(all, { requiredKeys: ["dataType", "dims"] });
}

/** What a tensor has besides its elements. */
function rest(depth: number): fc.Arbitrary<object> {
  const { name: named, docString, metadataProps } = fieldsOf("TensorProto", depth);
  return fc.record({ name: named, docString, ...(metadataProps && { metadataProps }) }, { requiredKeys: [] });
}
