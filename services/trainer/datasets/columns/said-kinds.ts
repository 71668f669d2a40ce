import type { SaidKind } from "../formats/file-format.ts";
import type { ColumnPlan, Encoding } from "./data-plan.ts";

/** What columns hold, by their encodings. */
export function saidKinds(columns: readonly ColumnPlan[]): ReadonlyMap<string, SaidKind> {
  return new Map(columns.flatMap(({ name, encoding }) => (encoding ? [[name, kindOf[encoding.kind]] as const] : [])));
}

const kindOf = {
  standard: "number",
  min_max: "number",
  number: "number",
  one_hot: "category",
  index: "category",
} as const satisfies Record<Encoding["kind"], SaidKind>;
