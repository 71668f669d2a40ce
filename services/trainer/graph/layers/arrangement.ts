import { product } from "../../../../lib/onnx/shapes.ts";
import { specError } from "../spec-error.ts";
import { checkAxes, checkCount, checkShare, elementwise, type LayerKind, reshaping, shapeError } from "./layer-kind.ts";

/** All elements of a row along one axis. */
export interface Flatten {
  readonly kind: "flatten";
}

/** The elements of a row in another shape that has as many. */
export interface Reshape {
  readonly kind: "reshape";
  readonly shape: readonly number[];
}

/** The axes of a row in another order, counted from 0 without the batch axis. */
export interface Permute {
  readonly kind: "permute";
  readonly axes: readonly number[];
}

/** One place of a sequence: [places, ...] becomes [...]. */
export interface Pick {
  readonly kind: "pick";
  /** From 0; below 0 from the end. */
  readonly index: number;
}

/** Each element is 0 with the probability `ratio` while training, and divided by 1 − ratio otherwise (Srivastava et al. 2014). */
export interface Dropout {
  readonly kind: "dropout";
  readonly ratio: number;
}

export const flatten: LayerKind<Flatten> = (_, input) => {
  const size = product(input);
  if (input.length === 1) return elementwise(input, (_graph, x) => x);
  return reshaping([size], (graph, x) => graph.reshape(x, graph.sizes([-1, size])));
};

export const reshape: LayerKind<Reshape> = ({ shape }, input, place) => {
  checkAxes(`${place.field}.shape`, shape);
  for (const [axis, size] of shape.entries()) checkCount(place, `shape[${axis}]`, size);
  if (product(shape) !== product(input)) {
    throw shapeError(place, "reshape", input, `rows of ${product(shape)} elements, as [${shape.join(", ")}] has`);
  }
  return reshaping(shape, (graph, x) => graph.reshape(x, graph.sizes([-1, ...shape])));
};

export const permute: LayerKind<Permute> = ({ axes }, input, place) => {
  if (`${axes.toSorted()}` !== `${[...input.keys()]}`) {
    throw specError(`${place.field}.axes`, `[${axes.join(", ")}]`, `each of the axes 0 to ${input.length - 1} once`);
  }
  const moved = axes.map((axis) => input[axis]);
  return reshaping(moved, (graph, x) => graph.transpose(x, [0, ...axes.map((axis) => axis + 1)]));
};

export const pick: LayerKind<Pick> = ({ index }, [places, ...shape], place) => {
  if (places === undefined || shape.length === 0) throw shapeError(place, "pick", [places], "[places, ...]");
  if (!Number.isInteger(index) || index < -places || index >= places) {
    throw specError(`${place.field}.index`, index, `a whole number in [${-places}, ${places - 1}]`);
  }
  const front = index < 0 ? index + places : index;
  const sizes = [front, 1, places - front - 1];
  const wanted = front === 0 ? 0 : 1;
  return reshaping(shape, (graph, x) => {
    const parts = graph.split(x, graph.sizes(sizes.filter((size) => size > 0)), 1);
    return graph.reshape(parts[wanted], graph.sizes([-1, ...shape]));
  });
};

export const dropout: LayerKind<Dropout> = ({ ratio }, input, place) => {
  checkShare(place, "ratio", ratio);
  return elementwise(input, (_, x, into) => into.dropout(x, ratio));
};
