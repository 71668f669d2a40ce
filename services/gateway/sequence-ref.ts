import { FieldReader, type Span, WireType } from "./message-fields.ts";

/** What a request says of its sequence. */
export interface SequenceRef {
  /** The number, or the text in quotes. */
  readonly id: string;
  /** Whether the sequence begins with it, anew where there was one. */
  readonly starts: boolean;
  readonly ends: boolean;
}

/**
 * Reads the sequence of an inference request from its parameters, which are the entries of a map. Undefined where it belongs to
 * none. Whether the parameters have the right types is for the node to say. Throws REQUEST_INVALID where an entry is not a message.
 */
export function sequenceRef(bytes: Uint8Array, entries: readonly Span[]): SequenceRef | undefined {
  const found = new Map<string, Value>();
  for (const entry of entries) {
    const { key, value } = entryOf(bytes, entry);
    if (key !== undefined) found.set(key, value);
  }
  const id = idOf(found.get("sequence_id"));
  if (id === "") return undefined;
  return { id, starts: found.get("sequence_start") === true, ends: found.get("sequence_end") === true };
}

/** What a parameter holds; undefined for what no sequence has. */
type Value = boolean | bigint | string | undefined;

const keys = ["sequence_id", "sequence_start", "sequence_end"];
/** Of an entry or its value, which have two fields and one: many entries of many fields could keep the event loop busy. */
const fieldsMax = 4;
/** Longer ids are refused by nodes. */
const idBytesMax = 128;

/** The numbers of the fields of a map's entry. */
const entryFields = { key: 1, value: 2 };
/** Those of InferParameter. */
const valueFields = { bool: 1, int64: 2, string: 3, uint64: 5 };

/** The key is undefined where it has nothing to do with sequences. */
function entryOf(bytes: Uint8Array, entry: Span): { readonly key: string | undefined; readonly value: Value } {
  const reader = new FieldReader(bytes, fieldsMax, entry);
  let key = "";
  const values: Span[] = [];
  while (reader.next()) {
    if (reader.wireType !== WireType.bytes) continue;
    if (reader.number === entryFields.key) key = textOf(bytes, reader.value);
    else if (reader.number === entryFields.value) values.push(reader.value);
  }
  if (!keys.includes(key)) return { key: undefined, value: undefined };
  // Messages that come several times are joined.
  return { key, value: values.map((value) => parameterOf(bytes, value)).findLast((value) => value !== undefined) };
}

function parameterOf(bytes: Uint8Array, span: Span): Value {
  const reader = new FieldReader(bytes, fieldsMax, span);
  let value: Value;
  while (reader.next()) {
    const { number, wireType } = reader;
    if (number === valueFields.bool && wireType === WireType.varint) value = numberOf(bytes, reader.value) !== 0n;
    else if (number === valueFields.string && wireType === WireType.bytes) value = textOf(bytes, reader.value);
    else if (number === valueFields.int64 || number === valueFields.uint64) {
      if (wireType === WireType.varint) value = numberOf(bytes, reader.value);
    }
  }
  return value;
}

/** A number as it is, a text in quotes, so that they never mean the same; empty for 0, the empty text, and what is neither. */
function idOf(value: Value): string {
  if (typeof value === "bigint") return value === 0n ? "" : String(value);
  return typeof value === "string" && value !== "" ? `'${value}'` : "";
}

/** Only as much of it as decides. */
function textOf(bytes: Uint8Array, { start, end }: Span): string {
  const length = Math.min(end - start, idBytesMax + 1);
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString("utf8");
}

/** A varint as the unsigned number of its 64 bits. */
function numberOf(bytes: Uint8Array, { start, end }: Span): bigint {
  let value = 0n;
  for (let index = end - 1; index >= start; index--) value = (value << 7n) | BigInt(bytes[index]! & 0x7f);
  return BigInt.asUintN(64, value);
}
