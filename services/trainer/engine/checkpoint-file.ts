import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { assert } from "../../../lib/errors.ts";
import type { TrainingState } from "./training-state.ts";

/**
 * Writes the state of a training to a file that is there whole or not at all. The calling thread waits meanwhile: what it is given may be
 * overwritten by the next step. Throws the system's fault, as of a full disk, and leaves nothing behind.
 */
export function writeCheckpoint(path: string, state: TrainingState): void {
  const { tensors, bestTensors, ...rest } = state;
  const header: Header = { ...rest, format, tensors: sizesOf(tensors), bestTensors: sizesOf(bestTensors) };
  const text = Buffer.from(JSON.stringify(header, withWords));
  const partial = `${path}.part`;
  try {
    const file = openSync(partial, "w", 0o600);
    try {
      writeAll(file, Buffer.of(...uint32(text.length)));
      writeAll(file, text);
      for (const elements of [...tensors.values(), ...bestTensors.values()]) writeAll(file, bytesOf(elements));
    } finally {
      closeSync(file);
    }
    renameSync(partial, path);
  } catch (failure) {
    rmSync(partial, { force: true });
    throw failure;
  }
}

/** Reads what {@link writeCheckpoint} wrote; throws where it is something else, or the system's fault. */
export function readCheckpoint(path: string): TrainingState {
  const file = openSync(path, "r");
  try {
    const size = new Uint8Array(4);
    readAll(file, size);
    const headerBytes = Buffer.from(size).readUInt32LE();
    assert(headerBytes <= fstatSync(file).size, "a checkpoint is as long as its header says");
    const text = Buffer.alloc(headerBytes);
    readAll(file, text);
    const { format: seen, tensors, bestTensors, ...rest } = JSON.parse(text.toString(), fromWords) as Header;
    assert(seen === format, `a checkpoint has the format ${format}, not ${seen}`);
    const bytes = [...tensors, ...bestTensors].reduce((sum, [, length]) => sum + length * elementBytes, 0);
    assert(headerBytes + bytes + 4 === fstatSync(file).size, "a checkpoint holds as many numbers as it says");
    const read = ([name, length]: TensorSize) => {
      const elements = new Float32Array(length);
      readAll(file, bytesOf(elements));
      return [name, elements] as const;
    };
    return { ...rest, tensors: new Map(tensors.map(read)), bestTensors: new Map(bestTensors.map(read)) };
  } finally {
    closeSync(file);
  }
}

const format = "amaas-checkpoint-2";
const elementBytes = Float32Array.BYTES_PER_ELEMENT;

type TensorSize = readonly [name: string, length: number];

/** What stands in front of the numbers, as JSON behind its length. */
type Header = Omit<TrainingState, "tensors" | "bestTensors"> & {
  readonly format: string;
  readonly tensors: readonly TensorSize[];
  readonly bestTensors: readonly TensorSize[];
};

function sizesOf(tensors: ReadonlyMap<string, Float32Array>): readonly TensorSize[] {
  return [...tensors].map(([name, { length }]) => [name, length] as const);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function uint32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** JSON has no words for numbers that are not finite, which a loss of rows held out may be. */
const words = ["NaN", "Infinity", "-Infinity"];

function withWords(_field: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function fromWords(_field: string, value: unknown): unknown {
  return typeof value === "string" && words.includes(value) ? Number(value) : value;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, Math.min(callBytesMax, bytes.length - done));
  }
}

function readAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(file, bytes, done, Math.min(callBytesMax, bytes.length - done), null);
    assert(count > 0, "a checkpoint does not end before its last number");
    done += count;
  }
}

/** Of one call of the system, which takes less than 2 GiB. */
const callBytesMax = 2 ** 30;
