import { type Cases, one, scalar } from "./case.ts";

/** Those that draw nothing; test/trainer-engine/dropout.test.ts has the others. */
export const dropoutCases: Cases = {
  Dropout: [
    { shapes: one, apply: (graph, [x]) => graph.node("Dropout", [x, scalar(graph, 0.4)]) },
    {
      shapes: one,
      apply: (graph, [x]) => graph.many("Dropout", [x, scalar(graph, 0), graph.constant("BOOL", [], [1])])[0],
    },
  ],
};
