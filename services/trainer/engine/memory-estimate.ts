import type { Graph } from "../../../lib/onnx/graph.ts";
import { peakBytes } from "../../../lib/onnx/peak-bytes.ts";
import { product } from "../../../lib/onnx/shapes.ts";
import { subgraphsOf } from "../../../lib/onnx/uses.ts";
import type { TrainingGraph } from "../graph/training-graph.ts";
import type { StateTensor } from "../graph/training-tensors.ts";

/** What a training process takes of memory at its peak, in bytes, worked out before it runs. */
export interface MemoryEstimate {
  /** Of all parameters and statistics, once. */
  readonly parameterBytes: number;
  /** Of the optimizer's tensors and averages, once. */
  readonly optimizerBytes: number;
  /** What a step holds at most between its first node and its last, the state that comes out of it included. */
  readonly activationBytes: number;
  /** What measuring the rows held out holds at most. */
  readonly evaluationBytes: number;
  /** Rows gathered for one call of the runtime. */
  readonly batchBytes: number;
  readonly datasetBytes: number;
  /** The process itself, with the runtime's code and what it keeps of each node. */
  readonly runtimeBytes: number;
  /** All of it, with what is held several times. */
  readonly totalBytes: number;
}

/** The graphs of a training, and how many rows of how many bytes each of them is given. */
export interface MemoryLoad {
  readonly training: TrainingGraph;
  readonly evaluation: Graph;
  /** Of one row that goes in and its target. */
  readonly rowBytes: number;
  readonly rowCount: number;
  /** Rows of one step, and the parts that they are taken in. */
  readonly batchRows: number;
  readonly parts: number;
  /** Threads that share the rows of a batch, each with a runtime of its own. */
  readonly threads: number;
  /** Steps of one call of the runtime, at most. */
  readonly callSteps: number;
  /** Steps of the whole run. */
  readonly stepCount: number;
  /** Rows that are measured in one call; 0 where none are held out. */
  readonly evaluationRows: number;
  /** Whether the tensors of the best epoch are kept. */
  readonly keepsBest: boolean;
}

/**
 * What a training takes at its peak. Of the values between the nodes that is told by their sizes and by when each is used last
 * (`peakBytes`); how often the state lies in memory, how much an allocator loses between blocks, and what runtime and process take was
 * measured (`bench/training/memory.ts`).
 */
export function memoryEstimate(load: MemoryLoad): MemoryEstimate {
  const {
    training,
    evaluation,
    rowBytes,
    rowCount,
    batchRows,
    parts,
    threads,
    callSteps,
    stepCount,
    evaluationRows,
    keepsBest,
  } = load;
  const [body] = training.graph.nodes.flatMap(subgraphsOf);
  const perPart = new Map(Object.entries({ rows: Math.ceil(batchRows / parts / threads), parts, steps: 1 }));
  const begun = [...training.state, ...training.frozen].filter(({ startsAs }) => startsAs !== undefined);
  const parameterBytes = bytesOf(begun.filter(({ name, startsAs }) => name === startsAs));
  const stateBytes = bytesOf(training.state);
  const frozenBytes = bytesOf(training.frozen);
  const activationBytes = threads * peakBytes(body, perPart);
  const evaluationBytes = evaluationRows === 0 ? 0 : peakBytes(evaluation, new Map([["rows", evaluationRows]]));
  const batchBytes = (callSteps * batchRows + evaluationRows) * rowBytes;
  const datasetBytes = rowCount * rowBytes;
  const runtimeBytes =
    processBytes + nodeBytes * (threads * body.nodes.length + evaluation.nodes.length) + (threads - 1) * threadBytes;
  const valueBytes = blockFactor * (activationBytes + evaluationBytes);
  const uncollectedBytes = Math.max(
    uncollectedStates * stateBytes,
    Math.min(uncollectedBytesMax, stepCount * stateBytes),
  );
  // What they see together, and copies of parameters and of what was learned that each has.
  const sharedBytes = threads === 1 ? 0 : stateBytes + (4 * threads - 1) * parameterBytes + (threads - 1) * frozenBytes;
  const bestBytes = keepsBest ? parameterBytes : 0;
  const heldBytes = 2 * stateBytes + uncollectedBytes + frozenBytes + parameterBytes + bestBytes + sharedBytes;
  return {
    parameterBytes,
    optimizerBytes: stateBytes + frozenBytes - parameterBytes,
    activationBytes,
    evaluationBytes,
    batchBytes,
    datasetBytes,
    runtimeBytes,
    totalBytes: Math.ceil(runtimeBytes + datasetBytes + batchBytes + heldBytes + valueBytes),
  };
}

/** A process that has loaded the runtime and has a training thread. */
const processBytes = 105 * 2 ** 20;

/** Another thread. */
const threadBytes = 15 * 2 ** 20;

/** What graph and runtime keep of each node. */
const nodeBytes = 22 * 2 ** 10;

/** How much larger the blocks of the runtime's arena are than what lies in them. */
const blockFactor = 1.15;

/**
 * Beside what a step makes, the state lies in what the call was given and in what it gives, and in what calls before gave: so many bytes of
 * arrays are made before V8 collects those that are not used, or three states where that is larger.
 */
const uncollectedBytesMax = 64 * 2 ** 20;
const uncollectedStates = 3;

function bytesOf(tensors: readonly StateTensor[]): number {
  return tensors.reduce((sum, { shape }) => sum + product(shape) * Float32Array.BYTES_PER_ELEMENT, 0);
}
