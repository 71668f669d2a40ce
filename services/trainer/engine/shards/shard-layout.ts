import { product } from "../../../../lib/onnx/shapes.ts";
import type { Move, Moves } from "../../graph/moves.ts";
import { movingTensors, type StateTensor } from "../../graph/training-tensors.ts";

/** A tensor's place in memory that several threads see, in elements. */
export interface Placed extends StateTensor {
  readonly begin: number;
  readonly end: number;
}

/** What moves, and where it and the rest of its state lie. */
export interface PlacedMoves {
  readonly moves: readonly Move[];
  /** In the order of the moves. */
  readonly parameters: readonly Placed[];
  readonly others: readonly Placed[];
}

/**
 * Where everything that moves lies: the parameters side by side, those of a group together, then each kind of the rest of their state in the
 * same order.
 */
export interface ShardLayout {
  /** By the names of the training. */
  readonly whole: PlacedMoves;
  /**
   * Of each thread: as many elements as of the others, without regard to whose they are, since an optimizer moves each by itself. The
   * vectors of a thread are as few as there are groups among them, so that few nodes take few tensors.
   */
  readonly parts: readonly PlacedMoves[];
  /** Elements of all parameters, and of the whole state. */
  readonly parameterLength: number;
  readonly length: number;
}

/** Shares out all that moves; `threadCount` is at most its elements. */
export function shardLayout(moving: readonly Move[], moves: Moves, threadCount: number): ShardLayout {
  const grouped = moving.toSorted((a, b) => a.group - b.group);
  const parameterLength = grouped.reduce((sum, { parameter }) => sum + product(parameter.shape), 0);
  const placed = placing(moves, parameterLength);
  const whole = placed(grouped, 0);
  const parts = Array.from({ length: threadCount }, (_, thread) => {
    const [begin, end] = [thread, thread + 1].map((index) => Math.floor((parameterLength * index) / threadCount));
    return placed(vectorsWithin(whole, begin!, end!), begin!);
  });
  const length = Math.max(...[...whole.parameters, ...whole.others].map(({ end }) => end));
  return { whole, parts, parameterLength, length };
}

/** Places moves from `first` on among so many elements of parameters. */
function placing(moves: Moves, parameterLength: number) {
  return (moving: readonly Move[], first: number): PlacedMoves => {
    let begin = first;
    const placed = moving.map((move) => {
      const size = product(move.parameter.shape);
      const tensors = movingTensors([move], moves).map((tensor, index) => {
        const at = begin + index * parameterLength;
        return { ...tensor, begin: at, end: at + size };
      });
      begin += size;
      return tensors;
    });
    return {
      moves: moving,
      parameters: placed.map(([parameter]) => parameter!),
      others: placed.flatMap(([, ...others]) => others),
    };
  };
}

/** The elements between two places as vectors, one for each group. */
function vectorsWithin({ moves, parameters }: PlacedMoves, begin: number, end: number): readonly Move[] {
  const sizes = new Map<number, { readonly move: Move; size: number }>();
  for (const [index, move] of moves.entries()) {
    const parameter = parameters[index]!;
    const size = Math.min(end, parameter.end) - Math.max(begin, parameter.begin);
    if (size <= 0) continue;
    const known = sizes.get(move.group);
    if (known === undefined) sizes.set(move.group, { move, size });
    else known.size += size;
  }
  return [...sizes.values()].map(({ move, size }) => ({
    ...move,
    parameter: { name: `group_${move.group}`, shape: [size] },
  }));
}
