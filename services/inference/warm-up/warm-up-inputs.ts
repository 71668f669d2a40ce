import { joinedByteStrings } from "../../../lib/byte-strings.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { anyRank } from "../../../lib/onnx/signature.ts";
import {
  type DataType,
  elementBytes,
  elementCount,
  type Signature,
  type Tensor,
  type TensorSpec,
} from "../../../lib/tensor.ts";
import { checkByteStrings } from "../tensors/byte-strings.ts";
import { checkByteCount, checkedShape } from "../tensors/shape.ts";
import { quoted, quotedList } from "../tensors/tensor-fault.ts";

/** One kind of request that runs before a replica counts as ready. */
export interface WarmUp {
  readonly kind: "zeros" | "random";
  /** The size of the first symbolic axis. */
  readonly rowCount: number;
  /** How often it runs. */
  readonly runCount: number;
  /** Inputs that are not as kind and rows say. */
  readonly inputs: readonly WarmUpInput[];
}

/** One input of a warm-up. */
export interface WarmUpInput {
  readonly name: string;
  /** Empty for that of the signature. */
  readonly shape: readonly number[];
  /** Its elements, raw; empty for what the kind says. */
  readonly bytes: Uint8Array;
}

/**
 * The inputs of a warm-up, each in a buffer of its own. Optional inputs are left out unless the warm-up names them; symbolic axes
 * but the first are 1 unless it gives a shape. `random` is in [0, 1).
 *
 * Throws REQUEST_INVALID or TENSOR_INVALID with the input that cannot be made.
 */
export function warmUpInputs({ inputs }: Signature, warmUp: WarmUp, random: () => number): readonly Tensor[] {
  const stray = warmUp.inputs.find(({ name }) => !inputs.some((spec) => spec.name === name));
  if (stray !== undefined) {
    const known = quotedList(inputs.map(({ name }) => name));
    throw new ServiceError(
      "REQUEST_INVALID",
      `a warm-up names the input ${quoted(stray.name)}; needed: one of ${known}`,
    );
  }
  let room = warmUpBytesMax;
  return inputs.flatMap((spec) => {
    const given = warmUp.inputs.find(({ name }) => name === spec.name);
    if (spec.optional && given === undefined) return [];
    const label = `the warm-up's input ${quoted(spec.name)}`;
    const shape = given?.shape.length
      ? checkedShape(given.shape.map(String), spec, label)
      : presetShape(spec, warmUp, label);
    const bytes = given?.bytes.length ? givenBytes(given.bytes, shape, spec, label) : undefined;
    room -= bytes?.byteLength ?? elementCount(shape) * (elementBytes[spec.dataType] ?? textBytes);
    checkWarmUpBytes(warmUpBytesMax - room, spec.name);
    return [{ ...spec, shape, bytes: bytes ?? filled(spec.dataType, elementCount(shape), warmUp.kind, random) }];
  });
}

/** Throws REQUEST_INVALID where the bytes of all inputs, up to one, are more than a run may take. */
export function checkWarmUpBytes(bytes: number, input: string): void {
  if (bytes <= warmUpBytesMax) return;
  const message = `the warm-up's input ${quoted(input)} makes it larger than ${warmUpBytesMax} bytes`;
  throw new ServiceError("REQUEST_INVALID", message);
}

/** Bytes of the inputs of one run. */
const warmUpBytesMax = 256 * 1024 ** 2;

function presetShape({ shape }: TensorSpec, { rowCount }: WarmUp, label: string): readonly number[] {
  if (shape[0] === anyRank) {
    throw new ServiceError("REQUEST_INVALID", `${label} has any number of dimensions; needed: a shape`);
  }
  return shape.map((size, axis) => (typeof size === "number" ? size : axis === 0 ? rowCount : 1));
}

/** A copy, since what a thread is given is gone afterwards. */
function givenBytes(bytes: Uint8Array, shape: readonly number[], { dataType }: TensorSpec, label: string): Uint8Array {
  const size = elementBytes[dataType];
  if (size === undefined) checkByteStrings(bytes, elementCount(shape), label);
  else checkByteCount(bytes.byteLength, shape, size, label);
  return new Uint8Array(bytes);
}

function filled(dataType: DataType, count: number, kind: WarmUp["kind"], random: () => number): Uint8Array {
  if (kind === "zeros") return new Uint8Array(count * (elementBytes[dataType] ?? emptyTextBytes));
  if (dataType === "BYTES") return filledTexts(count, random);
  const block = new Uint8Array(Math.min(count, blockElements) * elementBytes[dataType]);
  fillers[dataType](block.buffer, random);
  return repeated(block, count * elementBytes[dataType]);
}

function filledTexts(count: number, random: () => number): Uint8Array {
  const text = () =>
    Buffer.from(
      random()
        .toString(36)
        .slice(2, 2 + textBytes - emptyTextBytes),
    );
  const texts = Array.from({ length: Math.min(count, blockElements) }, text);
  const block = joinedByteStrings(texts);
  const rest = joinedByteStrings(texts.slice(0, count % blockElements));
  return repeated(block, Math.floor(count / blockElements) * block.byteLength + rest.byteLength);
}

/** Elements that differ; then they come again. The event loop, on which others wait, would be long at millions. */
const blockElements = 4096;

/** A block over and over, the last time as much of it as has room. */
function repeated(block: Uint8Array, byteCount: number): Uint8Array {
  const bytes = new Uint8Array(byteCount);
  bytes.set(block.subarray(0, byteCount));
  for (let length = block.byteLength; length < byteCount; length *= 2) bytes.copyWithin(length, 0, length);
  return bytes;
}

/** The length alone. */
const emptyTextBytes = 4;
/** Bytes of a text with its length, at most. */
const textBytes = 12;

type Fill = (buffer: ArrayBuffer, random: () => number) => void;

/** Whole numbers are 0 or 1: what indexes something stays within it. */
const bits =
  (array: new (buffer: ArrayBuffer) => Uint8Array | Uint16Array | Uint32Array): Fill =>
  (buffer, random) => {
    const elements = new array(buffer);
    for (let index = 0; index < elements.length; index++) elements[index] = random() < 0.5 ? 0 : 1;
  };

const longBits: Fill = (buffer, random) => {
  const elements = new BigUint64Array(buffer);
  for (let index = 0; index < elements.length; index++) elements[index] = random() < 0.5 ? 0n : 1n;
};

const reals =
  (array: new (buffer: ArrayBuffer) => Float32Array | Float64Array): Fill =>
  (buffer, random) => {
    const elements = new array(buffer);
    for (let index = 0; index < elements.length; index++) elements[index] = random();
  };

/** Numbers in [1, 2) of a 16-bit format: the bits of 1, and a random fraction. */
const halves =
  (one: number, fractionBits: number): Fill =>
  (buffer, random) => {
    const elements = new Uint16Array(buffer);
    for (let index = 0; index < elements.length; index++)
      elements[index] = one | Math.floor(random() * 2 ** fractionBits);
  };

const fillers = {
  BOOL: bits(Uint8Array),
  UINT8: bits(Uint8Array),
  INT8: bits(Uint8Array),
  UINT16: bits(Uint16Array),
  INT16: bits(Uint16Array),
  UINT32: bits(Uint32Array),
  INT32: bits(Uint32Array),
  UINT64: longBits,
  INT64: longBits,
  FP16: halves(0x3c00, 10),
  BF16: halves(0x3f80, 7),
  FP32: reals(Float32Array),
  FP64: reals(Float64Array),
} as const satisfies Record<Exclude<DataType, "BYTES">, Fill>;
