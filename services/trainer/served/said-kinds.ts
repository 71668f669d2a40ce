import type { Signature } from "../../../lib/tensor.ts";
import type { DataPlan } from "../datasets/columns/data-plan.ts";
import { saidKinds } from "../datasets/columns/said-kinds.ts";
import type { SaidKind } from "../datasets/formats/file-format.ts";

/** What columns hold: those that have the names of a model's inputs, and others as the plan has it. */
export function kindsOf(
  { inputs }: Signature,
  { columns, split }: Pick<DataPlan, "columns" | "split">,
): ReadonlyMap<string, SaidKind> {
  const own = inputs.map(({ name, dataType }) => [name, dataType === "BYTES" ? "category" : "number"] as const);
  return new Map([...saidKinds(columns, split), ...own]);
}
