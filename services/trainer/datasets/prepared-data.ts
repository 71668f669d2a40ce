import { classNamesOf, withClassNames } from "./columns/class-names.ts";
import type { ColumnSource } from "./columns/column-source.ts";
import { checkColumnWidths } from "./columns/column-widths.ts";
import type { DataPlan } from "./columns/data-plan.ts";
import { type EncodedRows, encodedRows } from "./columns/encoded-rows.ts";
import { fittedColumns } from "./columns/fitted-columns.ts";
import { fittedAlready } from "./columns/own-features.ts";
import { isPlain } from "./columns/preprocessing.ts";
import { closedForm, type OpenForm, type RowForm } from "./columns/row-form.ts";
import { type RowParts, rowParts } from "./columns/row-parts.ts";
import { rowShapeOf } from "./columns/row-shape.ts";
import { checkTexts } from "./columns/said-texts.ts";
import { type ColumnUse, type UsedColumns, usedColumns } from "./columns/used-columns.ts";
import type { PreparedData } from "./row-source.ts";
import { DiskWriter } from "./rows/disk-writer.ts";
import { MemoryWriter } from "./rows/memory-writer.ts";

/** The rows of a file. */
export interface ReadData extends PreparedData {
  /** Of the features of a row, without the batch axis, as the file has them. */
  readonly rowShape: readonly number[];
}

/** Where rows may be kept. */
export interface RowPlace {
  /** Rows that take more, all together, are kept on disk. */
  readonly memoryBytesMax: number;
  /** A folder of the job's own. */
  readonly folder: string;
}

/**
 * Makes the rows of a training from a file: which columns are used → which rows are held out → what is learned from the others → all rows
 * as numbers. The same file, plan and form give the same rows, bit for bit. A form that is open takes the shape that features have then.
 *
 * Throws SPEC_INVALID where the plan and the file do not go together, DATASET_INVALID for a value that cannot be taken, with its row and
 * column, and DISK_FULL.
 */
export async function prepareData(
  source: ColumnSource,
  plan: DataPlan,
  told: RowForm | OpenForm,
  place: RowPlace,
): Promise<ReadData> {
  const used = withClassNames(usedColumns(source.columns, plan, told), told);
  await checkTexts(source, used);
  const parts = await rowParts(source, used, plan);
  const rows = await encodedColumns(source, used, told, parts);
  const rowShape = rowShapeOf(rows.features, used.features);
  const form = closedForm(told, rowShape);
  checkColumnWidths(rows, form, rowShape);
  const classNames = classNamesOf(rows, form);
  const { trainingCount, validationCount, of } = parts;
  const { widths } = form;
  const bytes = (trainingCount + validationCount) * (widths.featureCount + widths.targetCount) * 4;
  const writer =
    bytes <= place.memoryBytesMax
      ? new MemoryWriter(widths, trainingCount, validationCount)
      : await DiskWriter.create(widths, place.folder);
  try {
    await encodedRows(source, rows, form, parts, writer);
    const { training, validation } = await writer.finished();
    const leftOutCount = of.length - trainingCount - validationCount;
    const isByName = told.own !== undefined;
    const isRaw = !isByName && rows.features.every(isPlain);
    const preprocessing = isRaw ? undefined : { columns: rows.features, isByName };
    return { training, validation, preprocessing, classNames, leftOutCount, rowShape };
  } finally {
    await writer.close();
  }
}

/** What of the training rows decides how values become numbers; columns of the network's own are prepared as they were. */
async function encodedColumns(
  source: ColumnSource,
  { features, targets }: UsedColumns,
  { own }: ColumnUse,
  parts: RowParts,
): Promise<EncodedRows> {
  const open = own === undefined ? features : [];
  const fitted = await fittedColumns(source, [...open, ...targets], parts);
  return {
    features: own === undefined ? fitted.slice(0, open.length) : fittedAlready(own, features),
    targets: fitted.slice(open.length),
  };
}
