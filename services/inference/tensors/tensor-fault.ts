import { ServiceError } from "../../../lib/errors.ts";

/** A fault of the tensors in a request; the message says what was wrong, the value seen, the value needed. */
export function tensorFault(message: string): ServiceError {
  return new ServiceError("TENSOR_INVALID", message);
}

/** A name from a request in quotes, cut where it is too long for a message. */
export function quoted(name: string): string {
  return name.length <= quotedCharsMax ? `'${name}'` : `'${name.slice(0, quotedCharsMax)}…'`;
}

/** Names in quotes, at most {@link namesMax} of them. */
export function quotedList(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const shown = names.slice(0, namesMax).map(quoted).join(", ");
  return names.length <= namesMax ? shown : `${shown} and ${names.length - namesMax} more`;
}

const quotedCharsMax = 128;
const namesMax = 20;
