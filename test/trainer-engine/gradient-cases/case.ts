import fc from "fast-check";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";

export type Shape = readonly number[];

/** One or more cases for each operator that has a rule. */
export type Cases = Readonly<Record<string, readonly Case[]>>;

/** A function of tensors with the given shapes, whose elements are drawn from [low, high) in steps away from its kinks. */
export interface Case {
  readonly shapes: fc.Arbitrary<readonly Shape[]>;
  readonly range?: readonly [low: number, high: number];
  /** Set where the function needs sizes that are known when the graph is built; "rows": all but the first of each shape; "batch": all but the first input's first. */
  readonly sized?: true | "rows" | "batch";
  /** Set where elements that are nearly equal are a kink: they are then spread evenly over the range, in random order. */
  readonly distinct?: boolean;
  /** FP32 where the runtime has no kernel in double precision: the steps are then larger and the tolerance is 1e-3. */
  readonly dataType?: "FP32" | "FP64";
  /** Where the runtime itself is less exact in double precision than 1e-6. */
  readonly tolerance?: number;
  readonly apply: (graph: GraphBuilder, inputs: readonly Value[]) => Value;
  /**
   * The same function out of other operators, where the runtime has no kernel in double precision: then the rule runs in single
   * precision, and the differences are those of this.
   */
  readonly composed?: (graph: GraphBuilder, inputs: readonly Value[]) => Value;
}

const size = fc.integer({ min: 1, max: 4 });
const sizeOrNone = fc.oneof({ weight: 15, arbitrary: size }, { weight: 1, arbitrary: fc.constant(0) });

/** Now and then of no elements. */
export const anyShape = fc.array(sizeOrNone, { minLength: 0, maxLength: 3 });
export const one = anyShape.map((shape) => [shape]);
const shapeWithElements = fc.array(size, { minLength: 0, maxLength: 3 });
export const oneWithElements = shapeWithElements.map((shape) => [shape]);
export const stacked = fc.array(size, { minLength: 1, maxLength: 3 }).map((shape) => [shape]);

/** Of one axis or more, each of which may have no elements. */
export const stackedOrEmpty = fc
  .array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 })
  .map((shape) => [shape]);

/** Two shapes that broadcast: of one, leading axes are dropped and others shrunk to 1; then perhaps the two change places. */
const pairOf = (shapes: fc.Arbitrary<Shape>) =>
  fc
    .tuple(shapes, fc.nat(3), fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), fc.boolean())
    .map(([shape, dropped, shrunk, swapped]) => {
      const other = shape.slice(dropped).map((length, axis) => (shrunk[axis] ? 1 : length));
      return swapped ? [other, shape] : [shape, other];
    });
export const two = pairOf(anyShape);
export const twoWithElements = pairOf(shapeWithElements);
export const matrices = fc.tuple(size, size, size);

export const axesOf = (x: Value) => (x.shape.length > 1 ? [0, -1] : [0]);
export const positive = [0.5, 2] as const;

/** A number in the data type of the inputs, as it is in double precision. */
export const scalar = (graph: GraphBuilder, number: number) => graph.scalar(number, "FP64");
