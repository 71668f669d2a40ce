import { product } from "../../../../lib/onnx/shapes.ts";
import type { Move, Moves } from "../../graph/moves.ts";
import { movingTensors, type StateTensor } from "../../graph/training-tensors.ts";

/** A tensor's place in memory that several threads see, in elements. */
export interface Placed extends StateTensor {
  readonly begin: number;
  readonly end: number;
}

/** Which parameters each thread moves, and where everything that moves lies: parameters first, those of each thread side by side. */
export interface ShardLayout {
  readonly parts: readonly (readonly Move[])[];
  /** Of each thread: its parameters, then the rest of its state. */
  readonly parameters: readonly (readonly Placed[])[];
  readonly others: readonly (readonly Placed[])[];
  /** Elements of all parameters, and of the whole state. */
  readonly parameterLength: number;
  readonly length: number;
}

/** Shares parameters out by their sizes: the largest first, each to the thread that has least. Every thread has one at least. */
export function shardLayout(moving: readonly Move[], moves: Moves, threadCount: number): ShardLayout {
  const parts = sharedOut(moving, threadCount);
  let length = 0;
  const placed = (tensor: StateTensor): Placed => {
    const begin = length;
    length += product(tensor.shape);
    return { ...tensor, begin, end: length };
  };
  const tensors = parts.map((part) => movingTensors(part, moves));
  const parameters = tensors.map((each, index) => each.slice(0, parts[index]!.length).map(placed));
  const parameterLength = length;
  const others = tensors.map((each, index) => each.slice(parts[index]!.length).map(placed));
  return { parts, parameters, others, parameterLength, length };
}

function sharedOut(moving: readonly Move[], threadCount: number): Move[][] {
  const sizeOf = ({ parameter }: Move) => product(parameter.shape);
  const parts = Array.from({ length: threadCount }, () => ({ moves: [] as Move[], size: 0 }));
  for (const move of moving.toSorted((a, b) => sizeOf(b) - sizeOf(a))) {
    const least = parts.reduce((found, part) => (part.size < found.size ? part : found));
    least.moves.push(move);
    least.size += sizeOf(move);
  }
  return parts.map(({ moves }) => moves);
}
