import { axesOf, type Cases, one, stacked } from "./case.ts";

export const reductionCases: Cases = {
  ReduceSum: [
    { shapes: one, apply: (graph, [x]) => graph.reduceSum(x) },
    { shapes: stacked, apply: (graph, [x]) => graph.reduceSum(x, axesOf(x)) },
    { shapes: stacked, apply: (graph, [x]) => graph.reduceSum(x, axesOf(x), true) },
  ],
  ReduceMean: [
    { shapes: one, apply: (graph, [x]) => graph.reduceMean(x) },
    { shapes: stacked, apply: (graph, [x]) => graph.reduceMean(x, axesOf(x)) },
    { shapes: stacked, apply: (graph, [x]) => graph.reduceMean(x, axesOf(x), true) },
  ],
  Softmax: [
    { shapes: stacked, apply: (graph, [x]) => graph.softmax(x) },
    { shapes: stacked, apply: (graph, [x]) => graph.softmax(x, 0) },
  ],
  LogSoftmax: [
    { shapes: stacked, apply: (graph, [x]) => graph.logSoftmax(x) },
    { shapes: stacked, apply: (graph, [x]) => graph.logSoftmax(x, 0) },
  ],
};
