import type { Tensor } from "../../../lib/tensor.ts";
import { byteStringsEnd } from "../tensors/byte-strings.ts";

/** The outputs of a run do not have the rows of its inputs, so that nobody can say whose they are. */
export class RowMismatch extends Error {
  override readonly name = "RowMismatch";
}

/**
 * The outputs of a run that joined requests with so many rows, for each request in turn. They alias the run's outputs.
 *
 * Throws {@link RowMismatch} where the first axis of an output is not the sum of the rows.
 */
export function splitOutputs(outputs: readonly Tensor[], rowCounts: readonly number[]): readonly (readonly Tensor[])[] {
  const total = rowCounts.reduce((sum, count) => sum + count, 0);
  const stray = outputs.find(({ shape }) => shape[0] !== total);
  if (stray !== undefined) {
    const seen = `output '${stray.name}' has shape [${stray.shape.join(", ")}]`;
    throw new RowMismatch(`${seen} for ${total} rows of ${rowCounts.length} requests; needed: ${total} rows`);
  }
  const parts = outputs.map((output) => partsOf(output, rowCounts));
  return rowCounts.map((_, index) => parts.map((ofOutput) => ofOutput[index]));
}

function partsOf(output: Tensor, rowCounts: readonly number[]): readonly Tensor[] {
  const { name, dataType, shape, bytes } = output;
  const [total, ...features] = shape;
  const elementsPerRow = features.reduce((product, size) => product * size, 1);
  let begin = 0;
  return rowCounts.map((rowCount) => {
    const end =
      dataType === "BYTES"
        ? byteStringsEnd(bytes, begin, rowCount * elementsPerRow)
        : begin + (bytes.byteLength / total) * rowCount;
    const part = { name, dataType, shape: [rowCount, ...features], bytes: bytes.subarray(begin, end) };
    begin = end;
    return part;
  });
}
