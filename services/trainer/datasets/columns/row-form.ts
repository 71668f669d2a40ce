import { product } from "../../../../lib/onnx/shapes.ts";
import type { Loss } from "../../graph/losses/loss.ts";
import { targetForm } from "../../graph/losses/loss.ts";
import type { Network } from "../../graph/network.ts";
import type { RowWidths } from "../rows/row-writer.ts";
import type { NumberBound } from "./column-encoder.ts";
import type { ColumnUse } from "./used-columns.ts";

/** What a network and its loss take of a row. */
export interface RowForm extends ColumnUse {
  readonly network: Network;
  readonly loss: Loss;
  readonly widths: RowWidths;
  /** Whether targets are the tokens behind those that go in. */
  readonly isNext: boolean;
  /** What features must be besides finite; undefined where that is all. */
  readonly featureBound: NumberBound | undefined;
  /** What targets that are read as numbers must be; undefined where they are no classes. */
  readonly classBound: NumberBound | undefined;
}

/** The form of rows for a network and its loss. */
export function rowForm(network: Network, loss: Loss): RowForm {
  const { dataType, rowShape, tokenCount } = network.input;
  const form = targetForm(loss, network);
  const featureCount = product(rowShape);
  const classes = form.dataType === "INT32" && loss.kind !== "next_token";
  const ignored = loss.kind === "cross_entropy" ? loss.ignoreIndex : undefined;
  return {
    network,
    loss,
    widths: { featureCount, targetCount: product(form.rowShape), featureType: dataType, targetType: form.dataType },
    isNext: loss.kind === "next_token",
    tokens: dataType === "INT32",
    classes,
    featureBound: dataType === "INT32" ? { what: "token", count: tokenCount } : undefined,
    classBound: classes ? { what: "class", count: network.outputShape.at(-1) ?? 1, ignored } : undefined,
  };
}

/** Numbers of a row of features in the file: one more than go in where their targets are not told, but are the tokens behind each. */
export function readCountOf({ isNext, widths: { featureCount } }: RowForm, targets: readonly unknown[]): number {
  return isNext && targets.length === 0 ? featureCount + 1 : featureCount;
}
