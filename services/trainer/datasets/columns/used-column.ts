import type { SourceColumn } from "./column-source.ts";
import type { ColumnPlan, Encoding, Missing } from "./data-plan.ts";

/** A column with all that is done with it. */
export interface UsedColumn extends SourceColumn {
  readonly encoding: Encoding;
  readonly missing: Missing | undefined;
}

/** What is said of a column, and the field that says it. */
export type SaidColumn = ColumnPlan & { readonly field: string };
