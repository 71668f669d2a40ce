import { checkTargets, type Loss } from "../../graph/losses/loss.ts";
import { datasetError } from "../formats/dataset-error.ts";
import type { RowElements } from "../row-source.ts";
import { type RowWriter, rowElements, rowsFor } from "../rows/row-writer.ts";
import { chunkPieces } from "./chunk-pieces.ts";
import { type ColumnEncoder, columnEncoder, type NumberBound } from "./column-encoder.ts";
import type { ColumnChunk, ColumnSource } from "./column-source.ts";
import type { FittedColumn } from "./preprocessing.ts";
import { type RowForm, readCountOf } from "./row-form.ts";
import { part, type RowParts } from "./row-parts.ts";

/** Columns that become the numbers of a row, in their order. */
export interface EncodedRows {
  readonly features: readonly FittedColumn[];
  readonly targets: readonly FittedColumn[];
}

/**
 * Reads all rows as numbers and gives them to a writer. Throws DATASET_INVALID for a value that cannot be taken, with its row and column,
 * and where the training rows have one class only.
 */
export async function encodedRows(
  source: ColumnSource,
  columns: EncodedRows,
  form: RowForm,
  { of }: RowParts,
  writer: RowWriter,
): Promise<void> {
  const encoding = new RowEncoding(source, columns, form);
  let first = 0;
  for await (const chunk of source.read([...columns.features, ...columns.targets].map(({ name }) => name))) {
    for (const piece of chunkPieces(chunk, encoding.readWidths, encoding.rowsMax)) {
      const parts = of.subarray(first, first + piece.rowCount);
      const { features, targets } = await encoding.encoded(piece, parts, first);
      await writer.add(features, targets, parts);
      first += piece.rowCount;
    }
  }
  encoding.checkClasses();
}

/** Bytes of rows that are encoded at once; a row may be larger. */
const pieceBytes = 16 * 1024 ** 2;

/** Losses of which not every finite number is a target. */
const boundedLosses: ReadonlySet<Loss["kind"]> = new Set(["binary_cross_entropy", "kl_divergence"]);

/** Encodes rows into memory that the next ones overwrite. */
class RowEncoding {
  /** Elements of a row's value, of each column that is read. */
  readonly readWidths: readonly number[];
  /** Rows of a piece, at most. */
  readonly rowsMax: number;
  readonly #source: ColumnSource;
  readonly #form: RowForm;
  readonly #columns: readonly FittedColumn[];
  readonly #featureEncoders: readonly ColumnEncoder[];
  readonly #targetEncoders: readonly ColumnEncoder[];
  readonly #readCount: number;
  readonly #read: RowElements;
  readonly #features: RowElements;
  readonly #targets: RowElements;
  /** Of the training rows. */
  readonly #classes = new Set<number>();

  constructor(source: ColumnSource, { features, targets }: EncodedRows, form: RowForm) {
    const { widths, featureBound, classBound } = form;
    const readCount = readCountOf(form, targets);
    this.#readCount = readCount;
    const encoders = (columns: readonly FittedColumn[], bound: NumberBound | undefined) =>
      columns.map((column) => columnEncoder(column, bound));
    this.#source = source;
    this.#form = form;
    this.#columns = [...features, ...targets];
    this.readWidths = this.#columns.map(({ width }) => width);
    this.#featureEncoders = encoders(features, featureBound);
    this.#targetEncoders = encoders(targets, form.isNext ? featureBound : classBound);
    this.rowsMax = Math.max(1, Math.floor(pieceBytes / ((readCount + widths.targetCount) * 4)));
    this.#read = rowElements(widths.featureType, this.rowsMax * readCount);
    const isSame = readCount === widths.featureCount;
    this.#features = isSame ? this.#read : rowElements(widths.featureType, this.rowsMax * widths.featureCount);
    this.#targets = rowElements(widths.targetType, this.rowsMax * widths.targetCount);
  }

  async encoded(chunk: ColumnChunk, parts: Uint8Array, first: number) {
    const { widths } = this.#form;
    await this.#encode(this.#featureEncoders, 0, chunk, parts, first, this.#read, this.#readCount);
    await this.#encode(
      this.#targetEncoders,
      this.#featureEncoders.length,
      chunk,
      parts,
      first,
      this.#targets,
      widths.targetCount,
    );
    if (this.#targetEncoders.length === 0) this.#moveUp(chunk.rowCount);
    const targets = this.#targets.subarray(0, chunk.rowCount * widths.targetCount);
    if (this.#form.classes) this.#note(targets, parts);
    else if (boundedLosses.has(this.#form.loss.kind)) this.#check(targets, parts, first);
    return { features: this.#features, targets };
  }

  /** Refuses training rows of which all have one class. */
  checkClasses(): void {
    const { classes, classBound } = this.#form;
    if (!classes || this.#classes.size > 1 || classBound!.count === 1) return;
    const [only] = this.#classes;
    const seen = only === undefined ? "no class that counts" : `only the class ${this.#nameOf(only)}`;
    throw datasetError(`the training rows have ${seen}; needed: at least 2 classes`);
  }

  #nameOf(label: number): string {
    const encoder = this.#columns.at(-1)?.encoder;
    return JSON.stringify(encoder?.kind === "index" ? encoder.categories[label] : label);
  }

  async #encode(
    encoders: readonly ColumnEncoder[],
    firstColumn: number,
    { values }: ColumnChunk,
    parts: Uint8Array,
    firstRow: number,
    into: RowElements,
    stride: number,
  ): Promise<void> {
    let at = 0;
    for (const [index, encoder] of encoders.entries()) {
      const fault = encoder.encode(values[firstColumn + index]!, parts, { into, stride, at });
      if (fault !== undefined) {
        const { name } = this.#columns[firstColumn + index]!;
        const place = `${await this.#source.placeOf(firstRow + fault.row)}, column ${JSON.stringify(name)}`;
        const metadata = { row: String(firstRow + fault.row + 1), column: name };
        throw datasetError(`${place} is ${fault.seen}; needed: ${fault.needed}`, metadata);
      }
      at += encoder.width;
    }
  }

  /** The target of each token is the one behind it. */
  #moveUp(rowCount: number): void {
    const { featureCount } = this.#form.widths;
    for (let row = 0; row < rowCount; row++) {
      const begin = row * (featureCount + 1);
      this.#features.set(this.#read.subarray(begin, begin + featureCount), row * featureCount);
      this.#targets.set(this.#read.subarray(begin + 1, begin + 1 + featureCount), row * featureCount);
    }
  }

  #note(targets: RowElements, parts: Uint8Array): void {
    const { widths, classBound } = this.#form;
    for (let index = 0; index < targets.length; index++) {
      if (parts[Math.floor(index / widths.targetCount)] !== part.training) continue;
      if (targets[index] !== classBound!.ignored) this.#classes.add(targets[index]!);
    }
  }

  /** What else the loss needs of numbers. */
  #check(targets: RowElements, parts: Uint8Array, first: number): void {
    const { loss, network, widths } = this.#form;
    const rows = rowsFor(parts, [part.training, part.validation]);
    if (rows.length === 0) return;
    const kept = new Float32Array(rows.length * widths.targetCount);
    for (const [index, row] of rows.entries()) {
      const begin = row * widths.targetCount;
      kept.set(targets.subarray(begin, begin + widths.targetCount), index * widths.targetCount);
    }
    checkTargets(loss, network, { rowCount: rows.length, targets: kept }, (index) => `row ${first + rows[index]! + 1}`);
  }
}
