import type { dropoutOperators } from "../../../../lib/onnx/operators/dropout.ts";
import { like, type Rules } from "./rule.ts";

/** Rules of operators that leave elements out by chance. */
export const dropoutRules = {
  Dropout: ({ graph, inputs: [, ratio, training], outputs: [, mask], dy, refusal }) => {
    if (training === undefined || Number(training.elements?.[0]) === 0) return [() => dy];
    if (training.elements === undefined) throw refusal("training_mode", training.name, "a constant");
    if (mask === undefined) throw refusal("outputs", "without the mask", "the mask among them");
    const given = ratio === undefined ? like(graph, 0.5, dy) : graph.cast(ratio, dy.dataType);
    return [() => graph.where(mask, graph.div(dy, graph.sub(like(graph, 1, dy), given)), like(graph, 0, dy))];
  },
} as const satisfies Rules<typeof dropoutOperators>;
