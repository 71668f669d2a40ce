import type { DataSpec__Output } from "../../../lib/gen/amaas/trainer/v1/DataSpec.ts";
import { specError } from "../graph/spec-error.ts";
import { fileFormatOf } from "./data-format.ts";
import { type CheckedData, columnsOf } from "./data-spec.ts";
import { snakeCase } from "./snake-case.ts";

/** What is done with the rows of a dataset that a version is given. */
export interface ServedUse {
  /** Whether there are targets, and whether these are the tokens behind those that go in. */
  readonly targets: "columns" | "next_tokens" | "none";
  /** Whether rows may be left out. */
  readonly mayDrop: boolean;
}

/**
 * Checks what a job says of a dataset whose rows a version is given as they are. Throws SPEC_INVALID that names the field, also for what
 * only a training does: encodings, values in the place of missing ones, and a split.
 */
export function checkServedData(
  data: DataSpec__Output | null | undefined,
  { targets, mayDrop }: ServedUse,
): CheckedData {
  const format = fileFormatOf(data);
  const columns = columnsOf(data?.columns ?? []);
  for (const [index, { role, encoding, missing }] of columns.entries()) {
    const field = `data.columns[${index}]`;
    if (encoding !== undefined) throw specError(field, encoding.kind, "no encoding, because the version has its own");
    if (missing !== undefined && !(mayDrop && missing.kind === "drop_row")) {
      throw specError(
        field,
        missing.kind,
        `${mayDrop ? "drop_row, or " : ""}nothing, because the version takes values as they are`,
      );
    }
    if (role === "target" && targets === "none")
      throw specError(`${field}.role`, "ROLE_TARGET", "a feature, or ROLE_IGNORED");
  }
  if (data?.split?.kind !== undefined)
    throw specError("data.split", snakeCase(data.split.kind), "none, because all rows are taken");
  const isSaid = columns.some(({ role }) => role === "target");
  const said = data?.targetColumns ?? 0;
  if (said < 0) throw specError("data.target_columns", said, "a whole number of at least 0");
  if (said > 0 && (isSaid || targets !== "columns"))
    throw specError("data.target_columns", said, "0, as the columns or the loss say it");
  const targetCount = isSaid || targets !== "columns" ? 0 : said || 1;
  return { format, plan: { columns, targetCount, split: { kind: "random" }, validationShare: 0, seed: 0 } };
}
