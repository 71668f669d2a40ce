import type {
  ColumnChunk,
  ColumnSource,
  ColumnValues,
  SourceColumn,
  TextValues,
} from "../datasets/columns/column-source.ts";
import { datasetError } from "../datasets/formats/dataset-error.ts";
import type { OutputColumn } from "../datasets/predictions/output-column.ts";
import type { Answering } from "./answering.ts";
import { inputPlan } from "./input-plan.ts";
import { checkExact, copiedColumns, outputColumns } from "./predicted-columns.ts";
import { RowInputs } from "./row-inputs.ts";

/** Rows of a file that a served model is to answer. */
export interface PredictedRows {
  readonly source: ColumnSource;
  readonly features: readonly SourceColumn[];
  /** Columns that come out as they are. */
  readonly copied: readonly SourceColumn[];
  /** Rows that the model is given at once, at most. */
  readonly rowsPerCall: number;
  /** Calls at the same time, at most. */
  readonly parallelCalls: number;
  /** Rows of a part; the last has what is left. */
  readonly partRows: number;
  /** Whether a part is there already, by its index. */
  readonly isDone: (part: number) => boolean;
}

/** Consecutive rows, answered: the copied columns, then those of the outputs. */
export interface PredictedPart {
  readonly index: number;
  readonly columns: readonly OutputColumn[];
}

/** Answers rows, part by part, in the order of the file; those of parts that are done are left out. */
export async function* predictedParts(rows: PredictedRows, model: Answering): AsyncGenerator<PredictedPart> {
  const { source, features, copied, parallelCalls } = rows;
  const plan = inputPlan(model.signature.inputs, features);
  const inputs = new RowInputs(source, features, plan);
  const rowsPerCall = Math.min(rows.rowsPerCall, plan.rowsMax);
  const calls: Promise<AnsweredPiece>[] = [];
  const building = new PartBuilder();
  for await (const { first, part, chunk } of pieces({ ...rows, rowsPerCall })) {
    const tensors = await inputs.tensors(chunk, (row) => first + row);
    const copiedValues = chunk.values.slice(features.length) as readonly TextValues[];
    await checkExact(copied, copiedValues, (row) => source.placeOf(first + row));
    const kept = copiedColumns(copied, copiedValues);
    if (calls.length === parallelCalls) yield* building.add(await calls.shift()!);
    const call = model
      .answer(tensors)
      .then((outputs) => ({ part, columns: [...kept, ...outputColumns(outputs, chunk.rowCount)] }));
    // It is awaited in its turn; until then its failure is nobody's.
    call.catch(() => undefined);
    calls.push(call);
  }
  for (const call of calls) yield* building.add(await call);
  yield* building.finished();
}

interface Piece {
  /** The row in the file that it begins with. */
  readonly first: number;
  readonly part: number;
  readonly chunk: ColumnChunk;
}

/** Rows of one call each, none of two parts. */
async function* pieces(rows: PredictedRows): AsyncGenerator<Piece> {
  const { source, features, copied, rowsPerCall, partRows, isDone } = rows;
  const widths = [...features, ...copied].map(({ width }) => width);
  const [read, exact] = [features, copied].map((columns) => columns.map(({ name }) => name)) as [string[], string[]];
  let first = 0;
  for await (const chunk of source.read(read, exact)) {
    for (let begin = 0; begin < chunk.rowCount; ) {
      const part = Math.floor((first + begin) / partRows);
      const count = Math.min(rowsPerCall, chunk.rowCount - begin, (part + 1) * partRows - first - begin);
      const values = chunk.values.map((column, index) =>
        sliced(column, begin * widths[index]!, (begin + count) * widths[index]!),
      );
      if (!isDone(part)) yield { first: first + begin, part, chunk: { rowCount: count, values } };
      begin += count;
    }
    first += chunk.rowCount;
  }
}

function sliced(values: ColumnValues, begin: number, end: number): ColumnValues {
  return values.slice(begin, end) as ColumnValues;
}

interface AnsweredPiece {
  readonly part: number;
  readonly columns: readonly OutputColumn[];
}

/** Joins answered pieces to parts. */
class PartBuilder {
  #part = -1;
  #pieces: (readonly OutputColumn[])[] = [];

  *add({ part, columns }: AnsweredPiece): Generator<PredictedPart> {
    if (part !== this.#part) yield* this.finished();
    const [before] = this.#pieces;
    if (before !== undefined && namesOf(before) !== namesOf(columns)) {
      throw datasetError(
        `the model gives ${namesOf(columns)} for some rows; needed: ${namesOf(before)}, as for those before`,
      );
    }
    this.#part = part;
    this.#pieces.push(columns);
  }

  *finished(): Generator<PredictedPart> {
    const [first] = this.#pieces;
    if (first === undefined) return;
    const columns = first.map((column, index) => {
      const values = this.#pieces.flatMap((piece) => piece[index]!.values);
      return { ...column, values };
    });
    this.#pieces = [];
    yield { index: this.#part, columns };
  }
}

function namesOf(columns: readonly OutputColumn[]): string {
  return columns.map(({ name, type }) => `${name} ${type}`).join(", ");
}
