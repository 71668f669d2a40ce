import type { MemoryStorage, RowElements } from "../row-source.ts";
import { copyRows } from "./copy-rows.ts";
import { type RowType, type RowWidths, type RowWriter, rowElements, rowsFor, type WrittenRows } from "./row-writer.ts";

/** Keeps rows in shared memory, so that a training thread needs no copy. */
export class MemoryWriter implements RowWriter {
  readonly #widths: RowWidths;
  readonly #features: RowElements;
  readonly #targets: RowElements;
  readonly #training: Int32Array;
  readonly #validation: Int32Array;
  #trainingCount = 0;
  #validationCount = 0;

  constructor(widths: RowWidths, trainingCount: number, validationCount: number) {
    const { featureCount, targetCount, featureType, targetType } = widths;
    const kept = trainingCount + validationCount;
    this.#widths = widths;
    this.#features = shared(featureType, kept * featureCount);
    this.#targets = shared(targetType, kept * targetCount);
    this.#training = shared("INT32", trainingCount) as Int32Array;
    this.#validation = shared("INT32", validationCount) as Int32Array;
  }

  async add(features: RowElements, targets: RowElements, parts: Uint8Array): Promise<void> {
    const { featureCount, targetCount } = this.#widths;
    const rows = rowsFor(parts, [0, 1]);
    const before = this.#trainingCount + this.#validationCount;
    if (rows.length === parts.length) {
      this.#features.set(features.subarray(0, rows.length * featureCount), before * featureCount);
      this.#targets.set(targets.subarray(0, rows.length * targetCount), before * targetCount);
    } else {
      copyRows(features, featureCount, 0, featureCount, rows, this.#features, before);
      copyRows(targets, targetCount, 0, targetCount, rows, this.#targets, before);
    }
    for (let index = 0; index < rows.length; index++) {
      if (parts[rows[index]!] === 0) this.#training[this.#trainingCount++] = before + index;
      else this.#validation[this.#validationCount++] = before + index;
    }
  }

  async finished(): Promise<WrittenRows> {
    const { featureCount, targetCount } = this.#widths;
    const all = {
      kind: "memory",
      featureCount,
      targetCount,
      features: this.#features,
      targets: this.#targets,
    } as const;
    const part = (rows: Int32Array): MemoryStorage => ({ ...all, rows });
    return { training: part(this.#training), validation: part(this.#validation) };
  }

  async close(): Promise<void> {}
}

function shared(type: RowType, length: number): RowElements {
  return rowElements(type, new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
}
