import { messageOf, ServiceError } from "../errors.ts";
import { readMessage } from "./message-reader.ts";
import type { LargeInteger } from "./message-type.ts";
import { writeMessage } from "./message-writer.ts";
import { modelType } from "./schema.ts";

/**
 * The parts of an ONNX file that our code reads or writes; the other fields of the format (see `schema.ts`) are read,
 * kept and written all the same. A field that is not repeated is an own property exactly if the file has it.
 */
export interface ModelProto {
  readonly irVersion?: Int64;
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly docString?: string;
  readonly graph?: GraphProto | null;
  readonly opsetImport?: readonly { readonly domain?: string; readonly version?: Int64 }[];
  readonly metadataProps?: readonly StringEntryProto[];
  readonly functions?: readonly FunctionProto[];
}

/** An operator that the model brings along. */
export interface FunctionProto {
  readonly domain?: string;
  readonly name?: string;
  readonly overload?: string;
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly node?: readonly NodeProto[];
  /** Attributes that a call may leave out. */
  readonly attributeProto?: readonly AttributeProto[];
  readonly opsetImport?: ModelProto["opsetImport"];
  readonly valueInfo?: readonly ValueInfoProto[];
}

/** A 64-bit integer; {@link integerOf} makes it a number. */
export type Int64 = number | LargeInteger;

export interface StringEntryProto {
  readonly key?: string;
  readonly value?: string;
}

export interface GraphProto {
  readonly name?: string;
  readonly node?: readonly NodeProto[];
  readonly initializer?: readonly TensorProto[];
  readonly sparseInitializer?: readonly SparseTensorProto[];
  readonly input?: readonly ValueInfoProto[];
  readonly output?: readonly ValueInfoProto[];
  readonly valueInfo?: readonly ValueInfoProto[];
}

export interface NodeProto {
  readonly name?: string;
  readonly opType?: string;
  readonly domain?: string;
  readonly overload?: string;
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly attribute?: readonly AttributeProto[];
}

/** `type` says which field holds the value: 1 f, 2 i, 3 s, 4 t, 5 g, 6 floats, 7 ints, 8 strings, … */
export interface AttributeProto {
  readonly name?: string;
  readonly type?: number;
  readonly f?: number;
  readonly i?: Int64;
  readonly s?: Uint8Array;
  readonly t?: TensorProto | null;
  readonly g?: GraphProto | null;
  readonly ints?: readonly Int64[];
  readonly floats?: readonly number[];
  readonly strings?: readonly Uint8Array[];
  readonly graphs?: readonly GraphProto[];
  /** In a function: the attribute of its node that the value is taken from. */
  readonly refAttrName?: string;
}

/** `rawData` is little-endian and row-major; in a model that was read it aliases the file's bytes. */
export interface TensorProto {
  readonly name?: string;
  readonly dims?: readonly Int64[];
  readonly dataType?: number;
  readonly rawData?: Uint8Array;
  readonly floatData?: readonly number[];
  readonly int32Data?: readonly number[];
  readonly int64Data?: readonly Int64[];
  readonly doubleData?: readonly number[];
  readonly uint64Data?: readonly Int64[];
  readonly dataLocation?: number;
  readonly externalData?: readonly StringEntryProto[];
}

/** `values` are those that are not 0, at `indices`: INT64 [count] in a row-major tensor of `dims`, or [count, rank]. */
export interface SparseTensorProto {
  readonly values?: TensorProto | null;
  readonly indices?: TensorProto | null;
  readonly dims?: readonly Int64[];
}

export interface ValueInfoProto {
  readonly name?: string;
  readonly type?: TypeProto | null;
}

/** At most one of the `…Type` fields is set. */
export interface TypeProto {
  readonly tensorType?: TensorTypeProto | null;
  readonly sequenceType?: object | null;
  readonly mapType?: object | null;
  readonly opaqueType?: object | null;
  readonly sparseTensorType?: object | null;
  readonly optionalType?: object | null;
}

/** Without `shape` the number of dimensions is unknown. */
export interface TensorTypeProto {
  readonly elemType?: number;
  readonly shape?: { readonly dim?: readonly DimensionProto[] } | null;
}

export interface DimensionProto {
  readonly dimValue?: Int64;
  readonly dimParam?: string;
}

/**
 * Reads an ONNX file. The result may alias `bytes`.
 *
 * Throws ARTIFACT_INVALID that says why where the bytes are not an ONNX model: not protobuf, or without a graph, an
 * operator set or an output.
 */
export function readModel(bytes: Uint8Array): ModelProto {
  if (bytes.byteLength === 0) throw notAModel("it is empty");
  let model: ModelProto;
  try {
    model = readMessage(modelType, bytes) as ModelProto;
  } catch (cause) {
    throw notAModel(`its ${bytes.byteLength} bytes are not a protobuf message of a model (${messageOf(cause)})`, cause);
  }
  if (!model.graph) throw notAModel("it has no graph");
  if (!model.opsetImport?.length) throw notAModel("it imports no operator set");
  if (!model.graph.output?.length) throw notAModel("its graph has no outputs");
  return model;
}

/** Writes an ONNX file. What {@link readModel} gave is written back without loss. */
export function writeModel(model: ModelProto): Uint8Array {
  return writeMessage(modelType, model);
}

/** Throws a RangeError where a number cannot hold the integer exactly. */
export function integerOf(value: Int64): number {
  const number = typeof value === "number" ? value : value.high * 2 ** 32 + (value.low >>> 0);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${number} is too large for an exact number`);
  return number;
}

function notAModel(why: string, cause?: unknown): ServiceError {
  return new ServiceError("ARTIFACT_INVALID", `not an ONNX model: ${why}`, { cause });
}
