import { nearestNames } from "../../../../lib/nearest-names.ts";
import { specError } from "../../graph/spec-error.ts";
import { counted, datasetError } from "../formats/dataset-error.ts";
import type { SourceColumn } from "./column-source.ts";
import type { ColumnPlan, DataPlan, Encoding } from "./data-plan.ts";
import { ownFeature } from "./own-features.ts";
import type { FittedColumn } from "./preprocessing.ts";
import type { SaidColumn, UsedColumn } from "./used-column.ts";

/** What a training takes of a file, in the order of its columns. */
export interface UsedColumns {
  readonly features: readonly UsedColumn[];
  readonly targets: readonly UsedColumn[];
  /** That decides which rows are held out. */
  readonly splitBy: SourceColumn | undefined;
}

/** What a network and its loss make of columns. */
export interface ColumnUse {
  /** Columns that the network has an input for each of, prepared as it does itself; undefined where the data decide. */
  readonly own?: readonly FittedColumn[] | undefined;
  /** All features that there can be, where they are known by name. */
  readonly featureNames?: readonly string[] | undefined;
  /** Features are tokens. */
  readonly tokens: boolean;
  /** Targets are classes. */
  readonly classes: boolean;
}

/**
 * Which columns go in and which are targets. The column that decides the split is neither, unless it is given a role. A network with columns of
 * its own is given those, by their names, in its order. Throws SPEC_INVALID for columns that the file does not have, with the nearest name,
 * and for what cannot be done with what a column holds; DATASET_INVALID for too few columns.
 */
export function usedColumns(columns: readonly SourceColumn[], plan: DataPlan, use: ColumnUse): UsedColumns {
  const names = columns.map(({ name }) => name);
  const said = new Map(plan.columns.map((column, index) => [column.name, { ...column, field: fieldOf(index) }]));
  for (const { name, field } of said.values()) checkKnown(`${field}.name`, name, names);
  const { split } = plan;
  if ("column" in split) checkKnown(`data.split.${split.kind}.column`, split.column, names);
  const splitBy = "column" in split ? columns.find(({ name }) => name === split.column) : undefined;
  const featureNames = use.own?.map(({ name }) => name) ?? use.featureNames;
  const roleOf = ({ name, role }: SourceColumn) =>
    said.get(name)?.role ??
    role ??
    (featureNames?.includes(name) ? "feature" : name === splitBy?.name ? "ignored" : undefined);
  const rest = columns.filter((column) => roleOf(column) !== "ignored");
  const isTarget = targetsAmong(rest, roleOf, plan.targetCount);
  const used = (isWanted: boolean) =>
    rest
      .filter((column) => isTarget(column) === isWanted)
      .map((column) => usedColumn(column, isWanted, said.get(column.name), use));
  checkOwn(said.values(), use);
  const features =
    use.own?.map((own) => ownFeature(own, rest, said)) ??
    used(false).filter(({ name }) => featureNames?.includes(name) ?? true);
  const result = { features, targets: used(true), splitBy };
  checkCounts(columns.length, result, plan.targetCount);
  return result;
}

function checkOwn(said: Iterable<SaidColumn>, { own }: ColumnUse): void {
  const names = own?.map(({ name }) => name);
  for (const { name, role, field } of said) {
    if (role !== "feature" || (names?.includes(name) ?? true)) continue;
    throw specError(`${field}.role`, "feature", `another: the version takes the columns ${names!.join(", ")}`);
  }
}

const fieldOf = (index: number) => `data.columns[${index}]`;

function checkKnown(field: string, name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  const [nearest] = nearestNames(name, names, 1);
  throw specError(field, JSON.stringify(name), `a column of the file; the nearest is ${JSON.stringify(nearest)}`);
}

function targetsAmong(
  columns: readonly SourceColumn[],
  roleOf: (column: SourceColumn) => ColumnPlan["role"],
  targetCount: number,
): (column: SourceColumn) => boolean {
  const isSaid = columns.some((column) => roleOf(column) === "target");
  const open = columns.filter((column) => roleOf(column) === undefined);
  const last = new Set(targetCount === 0 ? [] : open.slice(-targetCount));
  return (column) => (isSaid ? roleOf(column) === "target" : last.has(column));
}

function checkCounts(columnCount: number, { features, targets }: UsedColumns, targetCount: number): void {
  const needed = targets.length === 0 ? targetCount : targets.length;
  if (features.length > 0 && targets.length >= needed) return;
  const parts = ["one feature", ...(needed === 0 ? [] : [counted(needed, "target")])];
  const seen = counted(columnCount, "column");
  const used =
    features.length + targets.length < columnCount ? ` of which ${features.length + targets.length} count` : "";
  throw datasetError(`the file has ${seen}${used}; needed: at least ${needed + 1}, ${parts.join(" and ")}`);
}

function usedColumn(column: SourceColumn, isTarget: boolean, said: SaidColumn | undefined, use: ColumnUse): UsedColumn {
  const encoding = said?.encoding ?? defaultEncoding(column, isTarget, said !== undefined, use);
  if (said === undefined && column.kind === "text" && !isTarget) return { ...column, encoding, missing: undefined };
  const allowed = allowedEncodings(column, isTarget, use);
  if (!allowed.includes(encoding.kind)) {
    const what = `${isTarget ? "a target" : use.tokens ? "tokens" : "a feature"} that ${held(column)}`;
    throw specError(
      said === undefined ? `the column ${JSON.stringify(column.name)}` : said.field,
      said?.encoding === undefined ? what : `${said.encoding.kind} for ${what}`,
      allowed.length === 0 ? neededKind(isTarget, use) : `one of ${allowed.join(", ")}`,
    );
  }
  checkMissing(column, isTarget, said);
  return { ...column, encoding, missing: said?.missing };
}

/** Features that are texts, and of which nothing is said, may be a header or a mistake; `checkTexts` names the first. */
function defaultEncoding({ kind, name }: SourceColumn, isTarget: boolean, isSaid: boolean, use: ColumnUse): Encoding {
  if (kind !== "text") return { kind: "number" };
  if (isTarget && use.classes) return { kind: "index" };
  if (use.tokens && isSaid) return { kind: "index" };
  if (isSaid && !isTarget) return { kind: "one_hot", categoriesMax: defaultCategoriesMax, ignoreUnknown: false };
  if (!isTarget) return { kind: "number" };
  throw datasetError(`the column ${JSON.stringify(name)} holds texts; needed: numbers, for the loss`);
}

/** Categories of a column that becomes a number for each of them, where nothing is said. */
export const defaultCategoriesMax = 1024;

function allowedEncodings(
  { kind, width }: SourceColumn,
  isTarget: boolean,
  use: ColumnUse,
): readonly Encoding["kind"][] {
  if (kind === "time" || kind === "other") return [];
  const isCategories = isTarget ? use.classes : true;
  const categories: readonly Encoding["kind"][] = isCategories && width === 1 ? ["index"] : [];
  if (isTarget || use.tokens) return kind === "text" ? categories : ["number", ...categories];
  const oneHot: readonly Encoding["kind"][] = width === 1 ? ["one_hot"] : [];
  return kind === "text" ? [...categories, ...oneHot] : ["number", "standard", "min_max", ...categories, ...oneHot];
}

function held({ kind, width }: SourceColumn): string {
  const many = width === 1 ? "" : `, ${width} in each row`;
  return `holds ${{ number: "numbers", text: "texts", time: "times", other: "neither numbers nor texts" }[kind]}${many}`;
}

function neededKind(isTarget: boolean, use: ColumnUse): string {
  return `${isTarget && !use.classes ? "numbers" : "numbers or texts"}, or the role ignored`;
}

function checkMissing({ kind, width }: SourceColumn, isTarget: boolean, said: SaidColumn | undefined): void {
  const { missing } = said ?? {};
  if (said === undefined || missing === undefined || missing.kind === "drop_row") return;
  const field = `${said.field}.${missing.kind}`;
  if (isTarget) throw specError(field, "set for a target", "drop_row, or none");
  if (width > 1) throw specError(field, `set for ${width} numbers in each row`, "drop_row, or none");
  if (kind === "text" && (missing.kind === "mean" || missing.kind === "median")) {
    throw specError(field, "set for a column of texts", "drop_row, most_frequent or constant");
  }
  if (kind === "number" && missing.kind === "constant" && !isFinite32(missing.value)) {
    throw specError(field, JSON.stringify(missing.value), "a finite number, as FP32 holds it");
  }
}

function isFinite32(text: string): boolean {
  return text.trim() !== "" && Number.isFinite(Math.fround(Number(text)));
}
