import type { Graph } from "../../../../lib/onnx/graph.ts";
import { movesOf } from "../../graph/moves.ts";
import type { Network } from "../../graph/network.ts";
import { rowElements } from "../../graph/widest-row.ts";
import type { TrainingPlan } from "../training-plan.ts";

/**
 * How many threads share the rows of each batch, with a runtime of one thread each; 1 where the runtime's threads share each operator
 * instead. It depends on nothing but plan and network, since it decides in which order gradients are summed.
 *
 * Some operators, or their gradients, have code for one thread only, so that sharing rows is faster where a batch makes many more elements
 * than there are parameters to sum and hand out. Networks without them, such as a GPT, are products of matrices and passes over elements,
 * which the runtime's threads share well. What needs a whole batch at once is not shared: statistics of batches, and losses that weigh
 * rows. `forward` is the graph of the network and its loss.
 */
export function shardCount(plan: TrainingPlan, network: Network, forward: Graph): number {
  const { device = "cpu", threadCount, accumulatedParts = 1, loss, batchRows } = plan;
  const weighsRows = loss.kind === "cross_entropy" && (loss.classWeights ?? loss.ignoreIndex) !== undefined;
  if (device !== "cpu" || accumulatedParts > 1 || weighsRows || network.statistics.length > 0) return 1;
  if (!forward.nodes.some(({ operator }) => forOneThread.has(operator))) return 1;
  const elements = batchRows * rowElements(forward);
  if (elements < elementsMin || elements < elementsPerParameterMin * network.parameterCount) return 1;
  return Math.min(threadCount, batchRows, movesOf(plan, network.parameters).length);
}

/** Operators which themselves, or whose gradients, the runtime has code for one thread for. */
const forOneThread: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "MaxPool", "AveragePool", "LSTM", "GRU"]);

/** A step of fewer elements is over before threads have been woken twice. */
const elementsMin = 2 ** 19;
const elementsPerParameterMin = 10;
