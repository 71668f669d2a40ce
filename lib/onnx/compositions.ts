import type { GraphBuilder } from "./builder.ts";
import type { Application } from "./conversions.ts";
import type { Value } from "./graph.ts";
import { floatOf, intOf } from "./operators/inference.ts";

/**
 * What an operator gives that ONNX itself defines by others, made of those, so that it has the gradients that they have. Undefined for
 * other operators, and for forms of them that are not written out here.
 */
export function composed(graph: GraphBuilder, application: Application): readonly Value[] | undefined {
  const { operator, inputs } = application;
  const composition = Object.hasOwn(compositions, operator) ? compositions[operator] : undefined;
  if (composition === undefined || inputs.some((input) => input?.unknown !== undefined)) return undefined;
  const value = composition(graph, inputs as readonly Value[], application);
  return value && [value];
}

type Composition = (graph: GraphBuilder, inputs: readonly Value[], application: Application) => Value | undefined;

const compositions: Readonly<Record<string, Composition>> = {
  Sum: (graph, inputs) => inputs.reduce(graph.add),
  Mean: (graph, inputs) => graph.div(inputs.reduce(graph.add), graph.scalar(inputs.length, inputs[0]!.dataType)),
  CastLike: (graph, [x, like]) => graph.cast(x!, like!.dataType),
  Swish: (graph, [x], { attributes }) => {
    const alpha = graph.scalar(floatOf(attributes, "alpha", 1), x!.dataType);
    return graph.mul(x!, graph.sigmoid(graph.mul(x!, alpha)));
  },
  Attention: attention,
};

/**
 * Scaled dot products with as many heads for queries as for keys and values, given apart [rows, heads, places, size] or within [rows,
 * places, width]; without a past, a cap, or any other output than the first (ONNX Attention 23).
 */
function attention(graph: GraphBuilder, inputs: readonly Value[], application: Application): Value | undefined {
  const { attributes, outputCount } = application;
  const [query, key, value, mask, ...past] = inputs as readonly (Value | undefined)[];
  const hasMore = outputCount > 1 || past.some((each) => each !== undefined) || floatOf(attributes, "softcap", 0) !== 0;
  const isWithin = query!.shape.length === 3;
  const headCount = isWithin ? intOf(attributes, "q_num_heads", 0) : query!.shape[1];
  const keyHeadCount = isWithin ? intOf(attributes, "kv_num_heads", 0) : key!.shape[1];
  const [q, k, v] = isWithin
    ? [query!, key!, value!].map((x) => apart(graph, x, Number(headCount)))
    : [query!, key!, value!];
  const size = q!.shape[3];
  if (hasMore || headCount !== keyHeadCount || typeof size !== "number") return undefined;
  const scale = graph.scalar(Math.sqrt(floatOf(attributes, "scale", 1 / Math.sqrt(size))), q!.dataType);
  const products = graph.matMul(graph.mul(q!, scale), graph.transpose(graph.mul(k!, scale), [0, 1, 3, 2]));
  const hidden = hiddenPlaces(graph, products, mask, intOf(attributes, "is_causal", 0) === 1);
  if (hidden === undefined) return undefined;
  const given = graph.matMul(graph.softmax(hidden), v!);
  return isWithin ? graph.reshape(graph.transpose(given, [0, 2, 1, 3]), graph.sizes([0, 0, -1])) : given;
}

/** From [rows, places, width] to [rows, heads, places, size]. */
function apart(graph: GraphBuilder, x: Value, headCount: number): Value {
  return graph.transpose(graph.reshape(x, graph.sizes([0, 0, headCount, -1])), [0, 2, 1, 3]);
}

/** Products with minus infinity where a mask hides a place; undefined where it depends on sizes that are not known. */
function hiddenPlaces(
  graph: GraphBuilder,
  products: Value,
  mask: Value | undefined,
  isCausal: boolean,
): Value | undefined {
  const { dataType, shape } = products;
  const [from, to] = shape.slice(-2);
  const least = graph.scalar(Number.NEGATIVE_INFINITY, dataType);
  const masked =
    mask?.dataType === "BOOL"
      ? graph.where(mask, products, least)
      : mask === undefined
        ? products
        : graph.add(products, mask);
  if (!isCausal) return masked;
  if (typeof from !== "number" || from !== to) return undefined;
  const isSeen = Array.from({ length: from * to }, (_, place) => (place % to <= Math.floor(place / to) ? 1 : 0));
  return graph.where(graph.constant("BOOL", [from, to], isSeen), masked, least);
}
