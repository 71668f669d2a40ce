import type {
  _amaas_trainer_v1_Column_Role__Output,
  Column__Output,
} from "../../../lib/gen/amaas/trainer/v1/Column.ts";
import type { DataSpec__Output } from "../../../lib/gen/amaas/trainer/v1/DataSpec.ts";
import type { Split__Output } from "../../../lib/gen/amaas/trainer/v1/Split.ts";
import type { ColumnPlan, DataPlan, Encoding, Missing, SplitPlan } from "../datasets/columns/data-plan.ts";
import type { OpenForm, RowForm } from "../datasets/columns/row-form.ts";
import { defaultCategoriesMax } from "../datasets/columns/used-columns.ts";
import type { FileFormat } from "../datasets/formats/file-format.ts";
import { specError } from "../graph/spec-error.ts";
import { fileFormatOf } from "./data-format.ts";
import { snakeCase } from "./snake-case.ts";

/** What a job says of its dataset, checked as far as it can be without the file. */
export interface CheckedData {
  /** Undefined where the file itself has to tell. */
  readonly format: FileFormat | undefined;
  readonly plan: DataPlan;
}

/** Checks what a job says of its dataset, for rows of a form. Throws SPEC_INVALID that names the field. */
export function checkDataSpec(
  data: DataSpec__Output | null | undefined,
  form: RowForm | OpenForm,
  { validationShare, seed }: Pick<DataPlan, "validationShare" | "seed">,
): CheckedData {
  const format = fileFormatOf(data);
  const columns = columnsOf(data?.columns ?? []);
  const split = splitOf(data?.split, validationShare);
  const targetCount = targetCountOf(data?.targetColumns ?? 0, columns, form);
  if (format !== undefined && tensorFormats.has(format.kind)) checkTensors(format.kind, columns, split);
  return { format, plan: { columns, targetCount, split, validationShare, seed } };
}

/** Formats whose rows have no columns with names. */
const tensorFormats: ReadonlySet<FileFormat["kind"]> = new Set(["numpy", "images", "text"]);

function checkTensors(kind: FileFormat["kind"], columns: readonly ColumnPlan[], split: SplitPlan): void {
  if (columns.length > 0) throw specError("data.columns", "set", `none, for ${kind}`);
  if ("column" in split) throw specError("data.split", split.kind, `random or stratified, for ${kind}`);
}

function targetCountOf(said: number, columns: readonly ColumnPlan[], form: RowForm | OpenForm): number {
  if (columns.some(({ role }) => role === "target")) {
    if (said !== 0) throw specError("data.target_columns", said, "none beside columns with the role target");
    return 0;
  }
  if ("open" in form) return said || 1;
  const needed = form.isNext ? 0 : form.widths.targetCount;
  const targetCount = said || (form.isNext ? 0 : 1);
  if (targetCount === needed) return targetCount;
  const why = form.isNext
    ? "because the tokens are the targets, for LOSS_NEXT_TOKEN"
    : form.classes
      ? "the class, for LOSS_CROSS_ENTROPY"
      : "the network's output size";
  throw specError("data.target_columns", targetCount, `${needed}, ${why}`);
}

/** Columns that something may be said of. */
const columnsMax = 10_000;

/** What is said of single columns; SPEC_INVALID for names that are empty or said twice, and fields out of their range. */
export function columnsOf(columns: readonly Column__Output[]): readonly ColumnPlan[] {
  if (columns.length > columnsMax)
    throw specError("data.columns", `a list of ${columns.length}`, `at most ${columnsMax}`);
  const places = new Map<string, number>();
  return columns.map((column, index) => {
    const field = `data.columns[${index}]`;
    const { name } = column;
    if (name === "") throw specError(`${field}.name`, "empty", "the name of a column");
    if (name.length > nameLengthMax) {
      throw specError(`${field}.name`, `${name.length} characters long`, `at most ${nameLengthMax}`);
    }
    if (places.has(name)) {
      throw specError(
        `${field}.name`,
        JSON.stringify(name),
        `one other than that of data.columns[${places.get(name)}]`,
      );
    }
    places.set(name, index);
    const role = roleOf[column.role];
    if (role === "ignored") {
      const set = column.encoding ?? column.missing;
      if (set !== undefined) throw specError(`${field}.${snakeCase(set)}`, "set", "nothing for an ignored column");
    }
    return { name, role, encoding: encodingOf(column, field), missing: missingOf(column, field) };
  });
}

const roleOf = {
  ROLE_UNSPECIFIED: undefined,
  ROLE_FEATURE: "feature",
  ROLE_TARGET: "target",
  ROLE_IGNORED: "ignored",
} as const satisfies Record<_amaas_trainer_v1_Column_Role__Output, ColumnPlan["role"]>;

function encodingOf({ encoding, oneHot }: Column__Output, field: string): Encoding | undefined {
  if (encoding === undefined) return undefined;
  if (encoding === "minMax") return { kind: "min_max" };
  if (encoding !== "oneHot") return { kind: encoding };
  const categoriesMax = oneHot!.categoriesMax || defaultCategoriesMax;
  if (categoriesMax < 1 || categoriesMax > categoriesMaxMax) {
    throw specError(`${field}.one_hot.categories_max`, categoriesMax, `a whole number in [1, ${categoriesMaxMax}]`);
  }
  return { kind: "one_hot", categoriesMax, ignoreUnknown: oneHot!.ignoreUnknown };
}

const categoriesMaxMax = 65_536;

function missingOf({ missing, constant }: Column__Output, field: string): Missing | undefined {
  if (missing === undefined) return undefined;
  if (missing !== "constant") return { kind: missingKinds[missing] };
  if (constant === "") throw specError(`${field}.constant`, "empty", "a number or a category");
  return { kind: "constant", value: constant! };
}

const missingKinds = {
  dropRow: "drop_row",
  mean: "mean",
  median: "median",
  mostFrequent: "most_frequent",
} as const satisfies Record<Exclude<Column__Output["missing"], "constant" | undefined>, Missing["kind"]>;

function splitOf(split: Split__Output | null | undefined, validationShare: number): SplitPlan {
  const kind = split?.kind ?? "random";
  if (kind === "given") {
    if (validationShare !== 0)
      throw specError("validation_share", validationShare, "0, because data.split.given says which rows");
    const { column, validation, training } = split!.given!;
    const given = { validation: validation || "validation", training: training || "training" };
    if (given.validation === given.training) {
      throw specError(
        "data.split.given.training",
        JSON.stringify(given.training),
        "another value than that of validation",
      );
    }
    return { kind, column: columnOf(kind, column), ...given };
  }
  if (kind === "random") return { kind };
  if (validationShare === 0) throw specError("validation_share", 0, `more than 0, for data.split.${kind}`);
  return kind === "stratified" ? { kind } : { kind, column: columnOf(kind, split![kind]!.column) };
}

function columnOf(kind: SplitPlan["kind"], column: string): string {
  if (column === "") throw specError(`data.split.${kind}.column`, "empty", "the name of a column");
  return column;
}

/** Of a column that is told of, since messages repeat it. */
const nameLengthMax = 1000;
