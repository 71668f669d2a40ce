import { encodedWidth, type FittedColumn } from "./preprocessing.ts";
import type { UsedColumn } from "./used-column.ts";

/** The shape of the features of a row: that of a file of tensors, such as images, and otherwise one axis of all their numbers. */
export function rowShapeOf(
  fitted: readonly FittedColumn[],
  used: readonly Pick<UsedColumn, "shape">[],
): readonly number[] {
  const [first, ...others] = used;
  if (others.length === 0 && first?.shape?.length) return first.shape;
  return [fitted.reduce((sum, column) => sum + encodedWidth(column), 0)];
}
