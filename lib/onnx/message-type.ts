/**
 * Messages of Protocol Buffers as a table: field name → number and type. `[]` marks repeated fields, `[packed]` those that are written
 * packed. Every thread that loads a model reads messages, and a general library takes longer to start than a model to load.
 */
export type Messages = Readonly<Record<string, Readonly<Record<string, readonly [id: number, type: string]>>>>;

/** A message as an object: a field that is not there is no property, integers beyond 2^53 are {@link LargeInteger}s. */
export type Message = { [field: string]: unknown };

/** A 64-bit integer as its halves, which are signed. */
export interface LargeInteger {
  readonly low: number;
  readonly high: number;
  readonly unsigned: boolean;
}

/** A message type, ready for use. */
export interface MessageType {
  readonly fields: readonly Field[];
  readonly byId: readonly (Field | undefined)[];
}

export interface Field {
  readonly name: string;
  readonly id: number;
  readonly isRepeated: boolean;
  readonly isPacked: boolean;
  /** How a single value is written: the kind that its tag says. */
  readonly wire: number;
  readonly value: Scalar | { readonly of: () => MessageType };
}

type Scalar = keyof typeof wireOf;

/** How values are written, by the types of the format; enumerations are int32. Source: protobuf.dev/programming-guides/encoding. */
const wireOf = { int32: 0, int64: 0, uint64: 0, double: 1, string: 2, bytes: 2, float: 5 } as const;
/** The kind of what begins with its length. */
export const lengthDelimited = 2;

/** The types of a table, by name. */
export function messageTypes<Name extends string>(messages: Record<Name, Messages[string]>): Record<Name, MessageType> {
  const types: Record<string, MessageType> = {};
  for (const [name, described] of Object.entries<Messages[string]>(messages)) {
    const fields = Object.entries(described).map(([field, [id, type]]) => fieldOf(field, id, type, types));
    fields.sort((a, b) => a.id - b.id);
    const byId: (Field | undefined)[] = [];
    for (const field of fields) byId[field.id] = field;
    types[name] = { fields, byId };
  }
  return types as Record<Name, MessageType>;
}

function fieldOf(name: string, id: number, type: string, types: Record<string, MessageType>): Field {
  const [base = "", mark] = type.split("[");
  const marks = { name, id, isRepeated: mark !== undefined, isPacked: mark === "packed]" };
  if (Object.hasOwn(wireOf, base)) return { ...marks, wire: wireOf[base as Scalar], value: base as Scalar };
  return { ...marks, wire: lengthDelimited, value: { of: () => types[base]! } };
}
