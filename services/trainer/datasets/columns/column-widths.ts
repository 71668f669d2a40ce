import { counted, datasetError } from "../formats/dataset-error.ts";
import { encodedWidth, type FittedColumn } from "./preprocessing.ts";
import { type RowForm, readCountOf } from "./row-form.ts";

/**
 * Refuses columns that give more or fewer numbers than the network and its loss take, or more categories than it has tokens; `fileShape` is
 * that of the features of a row in the file.
 */
export function checkColumnWidths(
  { features, targets }: { readonly features: readonly FittedColumn[]; readonly targets: readonly FittedColumn[] },
  form: RowForm,
  fileShape: readonly number[],
): void {
  const { network, loss, widths, isNext } = form;
  const { rowShape } = network.input;
  const readCount = readCountOf(form, targets);
  for (const column of isNext ? [...features, ...targets] : features) checkTokens(column, form);
  if (widthOf(features) !== readCount) {
    const seen = fileShape.length === 1 ? seenIn(features, "feature") : `rows have the shape [${fileShape.join(", ")}]`;
    throw datasetError(`${seen}; needed: ${neededBy()}`);
  }
  if ((isNext && targets.length === 0) || widthOf(targets) === widths.targetCount) return;
  throw datasetError(`${seenIn(targets, "target")}; needed: ${widths.targetCount}, for the loss ${loss.kind}`);

  function neededBy(): string {
    if (readCount > widths.featureCount) {
      return `${readCount}, the ${widths.featureCount} tokens that go in and the one behind them`;
    }
    return `${readCount}, for the network's input${rowShape.length === 1 ? "" : ` of the shape [${rowShape.join(", ")}]`}`;
  }
}

/** A category that nobody has seen has an index too, when the model is served: the count of those that were. */
function checkTokens({ name, encoder }: FittedColumn, { featureBound }: RowForm): void {
  const tokenCount = featureBound?.count;
  if (tokenCount === undefined || encoder.kind !== "index" || encoder.categories.length < tokenCount) return;
  const seen = `the column ${JSON.stringify(name)} has ${counted(encoder.categories.length, "different value")}`;
  throw datasetError(
    `${seen}; needed: fewer than the network's ${tokenCount} tokens, of which one is for any other value`,
  );
}

function widthOf(columns: readonly FittedColumn[]): number {
  return columns.reduce((sum, column) => sum + encodedWidth(column), 0);
}

/** Says which columns have become how many numbers, where that is not one each. */
function seenIn(columns: readonly FittedColumn[], noun: string): string {
  const width = widthOf(columns);
  if (width === columns.length) return `the dataset has ${counted(width, `${noun} column`)}`;
  const wide = columns.filter((column) => encodedWidth(column) !== 1);
  const some = wide.slice(0, 5).map((column) => `${JSON.stringify(column.name)} ${encodedWidth(column)}`);
  const list = `${some.join(", ")}${wide.length > 5 ? ", …" : ""}`;
  return `the dataset's ${counted(columns.length, `${noun} column`)} give ${counted(width, "number")} for each row (${list})`;
}
