import { ServiceError } from "../../../lib/errors.ts";
import { type JsonBounds, type JsonValue, parseJson } from "./json-text.ts";

/** The value that the bytes of a body say; undefined where there are none. Throws REQUEST_INVALID, and REQUEST_TOO_LARGE. */
export function jsonOfBytes(bytes: Uint8Array, bytesMax: number, bounds: JsonBounds): JsonValue | undefined {
  if (bytes.byteLength === 0) return undefined;
  if (bytes.byteLength > bytesMax) {
    throw new ServiceError(
      "REQUEST_TOO_LARGE",
      `the body has ${bytes.byteLength} bytes of JSON; needed: at most ${bytesMax}, or tensors as binary data`,
    );
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new ServiceError("REQUEST_INVALID", "the body is no UTF-8");
  }
  return parseJson(text, bounds);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
