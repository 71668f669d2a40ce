import { anyRank } from "../../../lib/onnx/signature.ts";
import type { TensorSpec } from "../../../lib/tensor.ts";
import type { DifferenceKind, Relation } from "./difference.ts";

export type Shape = TensorSpec["shape"];

/** What has become of a shape, or of one of its axes. */
export interface ShapeChange {
  readonly kind: DifferenceKind & ("RANK_CHANGED" | `SIZE_${string}`);
  /** Undefined where it is about the number of axes. */
  readonly axis: number | undefined;
  /** Of the shapes that fit the new one to those that fit the old one. */
  readonly relation: Relation;
}

/** The names of symbolic sizes do not matter: each request chooses the sizes. */
export function shapeChanges(before: Shape, after: Shape): readonly ShapeChange[] {
  const [isFreeBefore, isFree] = [before, after].map((shape) => shape[0] === anyRank);
  if (isFreeBefore || isFree) {
    if (isFreeBefore && isFree) return [];
    return [{ kind: "RANK_CHANGED", axis: undefined, relation: isFree ? "MORE" : "LESS" }];
  }
  if (before.length !== after.length) return [{ kind: "RANK_CHANGED", axis: undefined, relation: "OTHER" }];
  return before.flatMap((size, axis) => sizeChange(size, after[axis]!, axis) ?? []);
}

/** A shape as text, such as "[batch, 4]". */
export function shapeText(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

function sizeChange(before: Shape[number], after: Shape[number], axis: number): ShapeChange | undefined {
  const [wasFixed, isFixed] = [typeof before === "number", typeof after === "number"];
  if (wasFixed && isFixed) return before === after ? undefined : { kind: "SIZE_CHANGED", axis, relation: "OTHER" };
  if (wasFixed === isFixed) return undefined;
  return isFixed ? { kind: "SIZE_FIXED", axis, relation: "LESS" } : { kind: "SIZE_FREED", axis, relation: "MORE" };
}
