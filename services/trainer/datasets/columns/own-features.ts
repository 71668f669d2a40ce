import { specError } from "../../graph/spec-error.ts";
import { datasetError } from "../formats/dataset-error.ts";
import type { SourceColumn } from "./column-source.ts";
import { noColumn } from "./no-column.ts";
import type { FittedColumn } from "./preprocessing.ts";
import type { SaidColumn, UsedColumn } from "./used-column.ts";

/** The encodings that are told of columns, by what they have become. */
const encodings = { affine: "number", index: "index", one_hot: "one_hot" } as const;

/**
 * The column of a file that a network's own is given. Throws DATASET_INVALID where there is none of its name, or one of another kind, and
 * SPEC_INVALID where the job says how it is to be prepared, which the network does itself.
 */
export function ownFeature(
  { name, kind, width, encoder }: FittedColumn,
  columns: readonly SourceColumn[],
  said: ReadonlyMap<string, SaidColumn>,
): UsedColumn {
  const column = columns.find((each) => each.name === name);
  if (column === undefined)
    throw noColumn(
      name,
      columns.map((each) => each.name),
    );
  if ((column.kind === "text") !== (kind === "text") || column.kind === "other" || column.width !== width) {
    const held = column.kind === "text" ? "texts" : `${column.kind}s, ${column.width} in each row`;
    const needed = kind === "text" ? "texts" : `numbers, ${width} in each row`;
    throw datasetError(`the column ${JSON.stringify(name)} holds ${held}; needed: ${needed}, as the version takes`);
  }
  const { encoding, missing, field } = said.get(name) ?? {};
  const isTold = encoding === undefined || (encoding.kind === "one_hot" && encoder.kind === "one_hot");
  if (!isTold)
    throw specError(`${field}.${encoding!.kind}`, "set", "nothing, because the version prepares the column itself");
  if (missing !== undefined && missing.kind !== "drop_row") {
    throw specError(
      `${field}.${missing.kind}`,
      "set",
      "drop_row or nothing, because the version fills the column itself",
    );
  }
  return { ...column, encoding: encoding ?? ({ kind: encodings[encoder.kind] } as UsedColumn["encoding"]), missing };
}

/** The network's own columns with what the job says of categories that they do not have. */
export function fittedAlready(own: readonly FittedColumn[], used: readonly UsedColumn[]): readonly FittedColumn[] {
  return own.map((column, index) => {
    const { encoding } = used[index]!;
    if (column.encoder.kind !== "one_hot" || encoding.kind !== "one_hot") return column;
    return { ...column, encoder: { ...column.encoder, ignoreUnknown: encoding.ignoreUnknown ?? false } };
  });
}
