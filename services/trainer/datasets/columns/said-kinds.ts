import type { SaidKind } from "../formats/file-format.ts";
import type { ColumnPlan, Encoding, SplitPlan } from "./data-plan.ts";
import type { FittedColumn } from "./preprocessing.ts";

/** What columns hold, by their encodings, by what the split makes of one, and as the network's own were before. */
export function saidKinds(
  columns: readonly ColumnPlan[],
  split?: SplitPlan,
  own: readonly FittedColumn[] = [],
): ReadonlyMap<string, SaidKind> {
  const kinds = new Map<string, SaidKind>();
  if (split !== undefined && "column" in split) kinds.set(split.column, split.kind === "time" ? "time" : "category");
  for (const { name, role, encoding } of columns) {
    if (encoding !== undefined) kinds.set(name, kindOf[encoding.kind]);
    // Whatever nobody reads is no reason to refuse a file.
    else if (role === "ignored" && !kinds.has(name)) kinds.set(name, "category");
  }
  for (const { name, kind } of own) kinds.set(name, kind === "text" ? "category" : "number");
  return kinds;
}

const kindOf = {
  standard: "number",
  min_max: "number",
  number: "number",
  one_hot: "category",
  index: "category",
} as const satisfies Record<Encoding["kind"], SaidKind>;
