import type { ColumnPlan, DataPlan } from "./data-plan.ts";

/**
 * The plan for all rows of another file than that of the training: nothing is held out, and the column that would decide it is ignored where
 * nothing is said of it and the file has it.
 */
export function wholePlan(plan: DataPlan, has: (name: string) => boolean = () => true): DataPlan {
  const { split, columns } = plan;
  const isOpen = "column" in split && has(split.column) && columns.every(({ name }) => name !== split.column);
  const ignored: readonly ColumnPlan[] = isOpen
    ? [{ name: split.column, role: "ignored", encoding: undefined, missing: undefined }]
    : [];
  return { ...plan, columns: [...columns, ...ignored], split: { kind: "random" }, validationShare: 0 };
}
