import { product } from "../../../../lib/onnx/shapes.ts";
import { checkLoss, type Loss, targetForm } from "../../graph/losses/loss.ts";
import type { Network } from "../../graph/network.ts";
import { type NetworkSpec, networkOf } from "../../graph/network-spec.ts";
import { takesTokens, withRowShape } from "../../graph/open-input.ts";
import { specError } from "../../graph/spec-error.ts";
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

/** The same as far as it is known where the data decides what goes in. */
export interface OpenForm extends ColumnUse {
  readonly open: NetworkSpec;
  readonly loss: Loss;
}

/** The form of rows for a network whose input is open; SPEC_INVALID where the loss needs to know it. */
export function openForm(open: NetworkSpec, loss: Loss): OpenForm {
  if (loss.kind === "next_token") {
    throw specError("input_shape", "not set", "the tokens of a row, for LOSS_NEXT_TOKEN");
  }
  return { open, loss, tokens: takesTokens(open), classes: loss.kind === "cross_entropy" };
}

/** The form for rows of a shape, without the batch axis, where it is open; SPEC_INVALID where the network cannot take them. */
export function closedForm(form: RowForm | OpenForm, rowShape: readonly number[]): RowForm {
  if (!("open" in form)) return form;
  const network = networkOf(withRowShape(form.open, rowShape));
  checkLoss(form.loss, network);
  return rowForm(network, form.loss);
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
    own: network.served?.columns,
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
