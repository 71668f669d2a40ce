import { ServiceError } from "../../lib/errors.ts";
import { FieldReader, type Span, WireType } from "./message-fields.ts";
import { type SequenceRef, sequenceRef } from "./sequence-ref.ts";

/** Which version of which model a request is for, as the caller wrote it. */
export interface ModelRef {
  readonly model: string;
  /** A number, an alias, or empty. */
  readonly version: string;
  /** There if the request belongs to a sequence. */
  readonly sequence?: SequenceRef;
}

/** The reference of a request that belongs to a sequence. */
export interface SequencedRef extends ModelRef {
  readonly sequence: SequenceRef;
}

export function isSequenced(ref: ModelRef): ref is SequencedRef {
  return ref.sequence !== undefined;
}

/** The numbers of the fields that name the model and the version in a kind of request; all of them are strings. */
export interface RefLayout {
  readonly model: number;
  readonly version?: number;
  /** Names the model where the field `model` is empty: KServe's place for it in repository calls. */
  readonly modelFallback?: number;
  /** The parameters of an inference request, which may name a sequence. */
  readonly parameters?: number;
}

/** Names that are known. */
export interface KnownNames {
  /** The name that these bytes spell, where it is one of them. */
  spelled(bytes: Uint8Array, start: number, end: number): string | undefined;
}

/**
 * Reads the model, the version and the sequence of a request without decoding anything else: other fields are skipped, so tensors
 * cost nothing, and no text is made of the name of a model that is known. As in every protobuf parser fields come in any order, the last
 * of several wins, and a field of another wire type is skipped. Throws REQUEST_INVALID for bytes that are not a message.
 */
export function readModelRef(bytes: Uint8Array, layout: RefLayout, names?: KnownNames): ModelRef {
  const reader = new FieldReader(bytes, fieldsMax);
  let model: Span | undefined;
  let version: Span | undefined;
  let fallback: Span | undefined;
  const entries: Span[] = [];
  while (reader.next()) {
    if (reader.wireType !== WireType.bytes) continue;
    const { number } = reader;
    if (number === layout.model) model = reader.value;
    else if (number === layout.version) version = reader.value;
    else if (number === layout.parameters) entries.push(reader.value);
    else if (number === layout.modelFallback) fallback = reader.value;
  }
  const named = model === undefined || model.start === model.end ? fallback : model;
  const known = named && names?.spelled(bytes, named.start, named.end);
  const ref = { model: known ?? textOf(bytes, named), version: textOf(bytes, version) };
  const sequence = entries.length === 0 ? undefined : sequenceRef(bytes, entries);
  return sequence === undefined ? ref : { ...ref, sequence };
}

/** The id of an inference request; empty where it has none, or one that is too long. */
export function readRequestId(bytes: Uint8Array): string {
  const reader = new FieldReader(bytes, fieldsMax);
  let id = "";
  while (reader.next()) {
    if (reader.number !== requestIdField || reader.wireType !== WireType.bytes) continue;
    const { start, end } = reader.value;
    id = end - start > nameBytesMax ? "" : textOf(bytes, reader.value);
  }
  return id;
}

const requestIdField = 3;

/** As much of a name as an error repeats. */
export function shown(name: string): string {
  const characters = [...name];
  return characters.length > shownMax ? `${characters.slice(0, shownMax).join("")}…` : name;
}

const shownMax = 64;

/** Longest name of a model or version in bytes; the registry's own limit is far below. */
const nameBytesMax = 1024;

/** A message of tiny fields could keep the event loop busy for seconds; no real request comes near. */
const fieldsMax = 131_072;

function textOf(bytes: Uint8Array, span: Span | undefined): string {
  if (span === undefined) return "";
  const { start, end } = span;
  if (start === end) return "";
  if (end - start > nameBytesMax) {
    throw new ServiceError(
      "REQUEST_INVALID",
      `the name of the model or version has ${end - start} bytes; needed: at most ${nameBytesMax}`,
    );
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
}
