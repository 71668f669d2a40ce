import { float, int, ints, string } from "../../lib/onnx/attributes.ts";
import type { Attributes, Value } from "../../lib/onnx/graph.ts";
import type { Operator } from "../../lib/onnx/operators/operators.ts";

/** Inputs and attributes that an operator cannot take, and what it says of them. */
export type Wrong = readonly [
  inputs: (given: Given) => readonly (Value | undefined)[],
  message: RegExp,
  attributes?: Attributes,
];

/** Makes values to give to an operator. */
export interface Given {
  readonly floats: (...shape: (number | string)[]) => Value;
  readonly integers: (...shape: (number | string)[]) => Value;
  readonly truths: (...shape: (number | string)[]) => Value;
  readonly sizes: (...numbers: number[]) => Value;
}

const notFloats: readonly Wrong[] = [[({ integers }) => [integers(2)], /operands are floats, not INT64/]];
const notNumbers: readonly Wrong[] = [[({ truths }) => [truths(2)], /operands are numbers, not BOOL/]];
const ofTwo: readonly Wrong[] = [
  [({ floats }) => [floats(2, 3), floats(2)], /\[2,3\] and \[2\] broadcast/],
  [({ floats, integers }) => [floats(2), integers(2)], /operands have one data type, not FP32,INT64/],
];
const ofTwoNumbers: readonly Wrong[] = [...ofTwo, [({ truths }) => [truths(2), truths(2)], /are numbers, not BOOL/]];
const ofTwoTruths: readonly Wrong[] = [[({ floats }) => [floats(2), floats(2)], /are truth values, not FP32/]];
const ofTwoIntegers: readonly Wrong[] = [[({ floats }) => [floats(2), floats(2)], /are integers, not FP32/]];
const reductions: readonly Wrong[] = [
  ...notNumbers,
  [({ floats, sizes }) => [floats(2, 3), sizes(2)], /the axis 2 is one of 2/],
  [({ floats, integers }) => [floats(2, 3), integers(1)], /numbers in \S+ are known when the graph is built/],
];
const alongAxis: readonly Wrong[] = [
  ...notFloats,
  [({ floats }) => [floats(2)], /the axis 3 is one of 1/, { axis: int(3) }],
];
const places: readonly Wrong[] = [[({ floats }) => [floats(2)], /the axis 3 is one of 1/, { axis: int(3) }]];
const globalPools: readonly Wrong[] = [
  ...notFloats,
  [({ floats }) => [floats(2, 3)], /\[2,3\] has spatial axes after rows and channels/],
];
const pools: readonly Wrong[] = [
  [({ floats }) => [floats(2, 3)], /\[2,3\] has spatial axes/],
  [({ floats }) => [floats(1, 2, 4)], /kernel_shape \[undefined\] has a size for each of 1 axes/],
  [
    ({ floats }) => [floats(1, 2, 4)],
    /strides \[1,1\] has a number for each of 1 axes/,
    { kernel_shape: ints([2]), strides: ints([1, 1]) },
  ],
  [({ floats }) => [floats(1, 2, 4)], /a window of 5 fits into 4/, { kernel_shape: ints([5]) }],
];
const convolutions: readonly Wrong[] = [
  [({ floats }) => [floats(1, 3, 5), floats(2, 3)], /\[1,3,5\] and the weight \[2,3\] have one rank/],
  [({ floats }) => [floats(1, 3, 5), floats(3, 3, 2), floats(5)], /the bias \[5\] is \[3\]/],
  [({ floats }) => [floats(1, 3, 5), floats(3, 3, 2)], /auto_pad SAME is one of NOTSET/, { auto_pad: string("SAME") }],
  [({ floats }) => [floats(1, 3, 5), floats(3, 3, 2)], /pads \[1\] has two sizes/, { pads: ints([1]) }],
  [({ floats }) => [floats(1, 3, 5), floats("n", 3, 2)], /the weight's sizes \[n,3,2\] are known/],
];

/** Of every operator what it refuses. */
export const wrongInputs: Readonly<Record<Operator, readonly Wrong[]>> = {
  Add: ofTwoNumbers,
  Sub: ofTwoNumbers,
  Mul: ofTwoNumbers,
  Div: ofTwoNumbers,
  Mod: ofTwoNumbers,
  Pow: [[({ floats }) => [floats(2, 3), floats(2)], /\[2,3\] and \[2\] broadcast/]],
  Neg: notNumbers,
  Abs: notNumbers,
  Sign: notNumbers,
  Reciprocal: notFloats,
  Exp: notFloats,
  Log: notFloats,
  Sqrt: notFloats,
  Erf: notFloats,
  Sin: notFloats,
  Cos: notFloats,
  Ceil: notFloats,
  Floor: notFloats,
  Round: notFloats,
  Min: ofTwoNumbers,
  Max: ofTwoNumbers,
  Clip: [
    ...notNumbers,
    [({ floats }) => [floats(2), floats(2)], /bounds are scalars, not of shape \[2\]/],
    [({ floats, integers }) => [floats(2), undefined, integers()], /one data type, not FP32,INT64/],
  ],
  Identity: [[() => [], /Identity takes 1 inputs, not 0/]],
  Equal: ofTwo,
  BitShift: ofTwoIntegers,
  BitwiseXor: ofTwoIntegers,
  Greater: ofTwoNumbers,
  GreaterOrEqual: ofTwoNumbers,
  Less: ofTwoNumbers,
  LessOrEqual: ofTwoNumbers,
  Not: [[({ floats }) => [floats(2)], /are truth values, not FP32/]],
  And: ofTwoTruths,
  Or: ofTwoTruths,
  Xor: ofTwoTruths,
  Where: [
    [({ floats }) => [floats(2), floats(2), floats(2)], /a condition is of BOOL, not FP32/],
    [({ truths, floats, integers }) => [truths(2), floats(2), integers(2)], /one data type, not FP32,INT64/],
  ],
  Cast: [[({ floats }) => [floats(2)], /the attribute to is a data type/]],
  Relu: notFloats,
  LeakyRelu: notFloats,
  ThresholdedRelu: notFloats,
  PRelu: [
    [({ floats }) => [floats(2), floats(3, 2)], /a slope of \[3,2\] broadcasts to \[2\]/],
    [({ integers }) => [integers(2), integers(2)], /operands are floats, not INT64/],
  ],
  Elu: notFloats,
  Celu: notFloats,
  Selu: notFloats,
  Sigmoid: notFloats,
  HardSigmoid: notFloats,
  HardSwish: notFloats,
  Tanh: notFloats,
  Softplus: notFloats,
  Softsign: notFloats,
  Gelu: [
    ...notFloats,
    [({ floats }) => [floats(2)], /approximate is none or tanh, not erf/, { approximate: string("erf") }],
  ],
  Mish: notFloats,
  MatMul: [
    [({ floats }) => [floats(2, 3), floats(2, 3)], /inner sizes are equal, not 3 and 2/],
    [({ floats }) => [floats(), floats(2)], /\[\] and \[2\] are vectors, matrices or stacks of matrices/],
    [({ floats, integers }) => [floats(2, 3), integers(3, 2)], /one data type, not FP32,INT64/],
  ],
  Gemm: [
    [({ floats }) => [floats(1, 2, 3), floats(3, 2)], /Gemm multiplies matrices, not \[1,2,3\] and \[3,2\]/],
    [({ floats }) => [floats(2, 3), floats(3, 4), floats(3)], /\[2,4\] and \[3\] broadcast/],
    [({ floats }) => [floats(2, 3), floats(3, 4), floats(1, 2, 4)], /what is added, \[1,2,4\], broadcasts to \[2,4\]/],
    [({ floats }) => [floats(2, 3), floats(3, 4)], /equal, not 2 and 3/, { transA: int(1) }],
  ],
  Einsum: [
    [({ floats }) => [floats(2, 3)], /ij,jk->ik has a term for each of 1 operands/, { equation: string("ij,jk->ik") }],
    [({ floats }) => [floats(2, 3)], /names each axis of \[2,3\]/, { equation: string("ijk->k") }],
    [({ floats }) => [floats(2, 3), floats(2, 2)], /the axis j .* 3 and 2/, { equation: string("ij,jk->ik") }],
    [({ floats }) => [floats(2, 3)], /axis k is one of a term/, { equation: string("ij->k") }],
  ],
  ReduceSum: reductions,
  ReduceMean: reductions,
  ReduceMax: reductions,
  ReduceMin: reductions,
  ReduceProd: reductions,
  ReduceL1: reductions,
  ReduceL2: reductions,
  ReduceSumSquare: reductions,
  ReduceLogSum: reductions,
  ReduceLogSumExp: reductions,
  ArgMax: places,
  ArgMin: places,
  Softmax: alongAxis,
  LogSoftmax: alongAxis,
  CumSum: [
    [({ floats, integers }) => [floats(2), integers(1)], /the axis of CumSum is a scalar, not of shape \[1\]/],
    [({ truths, integers }) => [truths(2), integers()], /operands are numbers, not BOOL/],
  ],
  Reshape: [
    [({ floats, sizes }) => [floats(2, 3), sizes(4, 2)], /\[2,3\] can be reshaped to \[4,2\]/],
    [({ floats, integers }) => [floats(2, 3), integers("n")], /is a vector of known length/],
  ],
  Flatten: [[({ floats }) => [floats(2, 3)], /Flatten's axis 3 is in \[-2, 2\]/, { axis: int(3) }]],
  Expand: [[({ floats, sizes }) => [floats(2), sizes(3)], /\[2\] and \[3\] broadcast/]],
  Unsqueeze: [
    [({ floats, sizes }) => [floats(2), sizes(0, 0)], /axes are different, unlike \[0,0\]/],
    [({ floats, sizes }) => [floats(2), sizes(3)], /the axis 3 is one of 2/],
  ],
  Squeeze: [[({ floats, sizes }) => [floats(2, 3), sizes(0)], /squeezed axes have the size 1, not 2/]],
  Transpose: [[({ floats }) => [floats(2, 3)], /each of 2 axes once, unlike \[0,0\]/, { perm: ints([0, 0]) }]],
  Tile: [[({ floats, sizes }) => [floats(2, 3), sizes(2)], /Tile repeats each of 2 axes, not 1/]],
  Concat: [[({ floats }) => [floats(2, 3), floats(2, 4)], /parts differ only along axis 0/, { axis: int(0) }]],
  Split: [
    [({ floats, sizes }) => [floats(5), sizes(2, 2)], /parts of 2,2 make up 5/],
    [({ floats }) => [floats(5)], /Split has num_outputs or the sizes of its parts/],
  ],
  Shape: [[() => [], /Shape takes 1 inputs, not 0/]],
  Size: [[() => [], /Size takes 1 inputs, not 0/]],
  ConstantOfShape: [[({ floats }) => [floats(2, 3)], /is a vector of known length/]],
  Range: [[({ floats }) => [floats()], /Range takes 3 inputs, not 1/]],
  Slice: [
    [({ floats, sizes }) => [floats(4), sizes(0), sizes(1, 2)], /as many starts \(1\) as ends \(2\)/],
    [({ floats, sizes }) => [floats(4), sizes(0), sizes(2), sizes(0), sizes(0)], /a step of Slice is not 0/],
  ],
  Gather: [
    [({ floats }) => [floats(4), floats(2)], /indices are of INT64 or INT32, not FP32/],
    [({ floats, integers }) => [floats(4), integers(2)], /the axis 1 is one of 1/, { axis: int(1) }],
  ],
  GatherElements: [
    [({ floats }) => [floats(4), floats(2)], /indices are of INT64 or INT32, not FP32/],
    [({ floats, integers }) => [floats(4, 2), integers(2)], /indices have 2 axes, not 1/],
  ],
  GatherND: [
    [({ floats, integers }) => [floats(4), integers("n")], /the last size of \S+ \[n\] is known/],
    [({ floats, integers }) => [floats(4), integers(1, 2)], /an index of 2 numbers points into the 1 axes of \[4\]/],
  ],
  ScatterElements: [
    [({ floats, integers }) => [floats(4), integers(2), floats(3)], /updates have the shape \[2\] of their indices/],
    [({ floats, integers }) => [floats(4), integers(2), integers(2)], /updates are of FP32, not INT64/],
  ],
  ScatterND: [
    [
      ({ floats, integers }) => [floats(4, 3), integers(2, 1), floats(2, 4)],
      /updates are of shape \[2,3\], not \[2,4\]/,
    ],
    [({ floats, integers }) => [floats(4), integers(1, 2), floats(1)], /an index of 2 numbers points into the 1 axes/],
  ],
  Trilu: [[({ floats }) => [floats(4)], /Trilu takes matrices, not \[4\]/]],
  Conv: [
    ...convolutions,
    [({ floats }) => [floats(1, 3, 5), floats(2, 2, 3)], /3 channels are 1 groups of 2/],
    [
      ({ floats }) => [floats(1, 4, 5), floats(3, 2, 3)],
      /3 outputs can be shared out over 2 groups/,
      { group: int(2) },
    ],
  ],
  ConvTranspose: [
    ...convolutions,
    [({ floats }) => [floats(1, 3, 5), floats(2, 2, 3)], /3 channels are 2, in 1 groups/],
    [
      ({ floats }) => [floats(1, 3, 5), floats(3, 2, 3)],
      /output_padding 1 is less than the stride 1/,
      { output_padding: ints([1]) },
    ],
    [
      ({ floats }) => [floats(1, 3, "n"), floats(3, 2, 3)],
      /the size n is known when auto_pad or output_shape says/,
      { output_shape: ints([9]) },
    ],
  ],
  MaxPool: [...notNumbers, ...pools],
  AveragePool: [...notFloats, ...pools],
  GlobalMaxPool: globalPools,
  GlobalAveragePool: globalPools,
  Pad: [
    [({ floats, sizes }) => [floats(4), sizes(1)], /pads \[1\] has two sizes for each of 1 axes/],
    [({ floats, integers, sizes }) => [floats(4), sizes(1, 1), integers()], /the value is of FP32, not INT64/],
  ],
  Resize: [
    [({ floats, sizes }) => [floats(2, 3), undefined, undefined, sizes(4)], /sizes or scales for each of 2 axes/],
    [({ floats }) => [floats(2, 3)], /the scales of Resize are known when the graph is built/],
    [
      ({ floats, sizes }) => [floats(2, 3), undefined, undefined, sizes(4, 6)],
      /keep_aspect_ratio_policy is stretch, not not_larger/,
      { keep_aspect_ratio_policy: string("not_larger") },
    ],
  ],
  BatchNormalization: [
    [({ floats }) => [floats(2, 3), floats(3), floats(3)], /BatchNormalization takes 5 inputs, not 3/],
    [({ floats }) => [floats(2, 3), ...Array(4).fill(floats(2))], /\[2\] is one value for each of 3 channels/],
  ],
  LayerNormalization: [
    [({ floats }) => [floats(2, 3), floats(2)], /\[2\] broadcasts to \[3\]/],
    [({ floats }) => [floats(2, 3), floats(3)], /the axis 2 is one of 2/, { axis: int(2) }],
  ],
  RMSNormalization: [[({ floats }) => [floats(2, 3), floats(2)], /\[2\] broadcasts to \[3\]/]],
  GroupNormalization: [
    [({ floats }) => [floats(2, 3), floats(3), floats(3)], /3 channels .* over 2 groups/, { num_groups: int(2) }],
    [({ floats }) => [floats(2, 4), floats(2), floats(2)], /\[2\] is one value for each of 4/, { num_groups: int(2) }],
  ],
  InstanceNormalization: [[({ floats }) => [floats(3), floats(3), floats(3)], /\[3\] has rows and channels/]],
  LSTM: [
    [({ floats }) => [floats(2, 3), floats(1, 8, 3), floats(1, 8, 2)], /\[steps, rows, features\], not \[2,3\]/],
    [
      ({ floats }) => [floats(2, 1, 3), floats(1, 8, 3), floats(1, 8, 2)],
      /layout is 0, with the steps first, not 1/,
      { hidden_size: int(2), layout: int(1) },
    ],
    [
      ({ floats }) => [floats(2, 1, 3), floats(1, 8, 3), floats(1, 8, 2), floats(1, 8)],
      /B has the shape \[1,16\], not \[1,8\]/,
      { hidden_size: int(2) },
    ],
  ],
  GRU: [
    [
      ({ floats }) => [floats(2, 1, 3), floats(1, 8, 3), floats(1, 8, 2)],
      /W has the shape \[1,6,3\], not \[1,8,3\]/,
      { hidden_size: int(2), clip: float(1) },
    ],
  ],
  Dropout: [...notFloats],
};
