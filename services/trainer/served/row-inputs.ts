import { elementCount, type Tensor } from "../../../lib/tensor.ts";
import type { ColumnChunk, ColumnSource, SourceColumn } from "../datasets/columns/column-source.ts";
import { datasetError } from "../datasets/formats/dataset-error.ts";
import { columnBytes, type InputFault } from "./column-bytes.ts";
import type { InputPlan } from "./input-plan.ts";

/** Rows of a file as the inputs of a served model. */
export class RowInputs {
  readonly #source: ColumnSource;
  readonly #features: readonly SourceColumn[];
  readonly #plan: InputPlan;

  constructor(source: ColumnSource, features: readonly SourceColumn[], plan: InputPlan) {
    this.#source = source;
    this.#features = features;
    this.#plan = plan;
  }

  /**
   * The tensors of some rows, whose first features are those of this; `rowOf` tells where a row of the chunk is in the file. Throws
   * DATASET_INVALID for a value that an input cannot take, with its place.
   */
  async tensors({ rowCount, values }: ColumnChunk, rowOf: (row: number) => number): Promise<readonly Tensor[]> {
    const tensors: Tensor[] = [];
    for (const { name, dataType, rowShape, columns } of this.#plan.inputs) {
      const block = {
        rowCount,
        values: columns.map((index) => values[index]!),
        widths: columns.map((index) => this.#features[index]!.width),
        taken: elementCount(rowShape),
      };
      const bytes = columnBytes(dataType, block);
      if ("seen" in bytes) throw await this.#refusal(bytes, name, columns, rowOf);
      tensors.push({ name, dataType, shape: [rowCount, ...rowShape], bytes });
    }
    return tensors;
  }

  async #refusal(
    { row, column, seen, needed }: InputFault,
    input: string,
    columns: readonly number[],
    rowOf: (row: number) => number,
  ): Promise<Error> {
    const place = await this.#source.placeOf(rowOf(row));
    const { name } = this.#features[columns[column]!]!;
    const message = `${place}, column ${JSON.stringify(name)} is ${seen}; needed: ${needed}, for the model's input ${input}`;
    return datasetError(message, { place, column: name, value: seen });
  }
}
