import { type Cases, one, stacked } from "./case.ts";

export const arrangementCases: Cases = {
  Reshape: [
    { shapes: stacked, sized: true, apply: (graph, [x]) => graph.reshape(x, graph.sizes([-1, Number(x.shape[0])])) },
  ],
  Expand: [
    { shapes: one, sized: true, apply: (graph, [x]) => graph.expand(x, graph.sizes([2, ...x.shape.map(Number)])) },
  ],
  Unsqueeze: [{ shapes: one, apply: (graph, [x]) => graph.unsqueeze(x, [0]) }],
  Transpose: [
    {
      shapes: stacked,
      apply: (graph, [x]) => {
        const axes = x.shape.map((_, axis) => axis);
        return graph.transpose(x, [...axes.slice(1), 0]);
      },
    },
  ],
};
