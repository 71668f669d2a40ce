/** What a model keeps between the requests of a sequence; 0 means as the node is set. */
export interface SequenceSettings {
  readonly states: readonly StateSettings[];
  /** Sequences that a replica keeps. */
  readonly sequencesMax: number;
  /** How long one is kept after its last request. */
  readonly idleMs: number;
}

/** One tensor that is kept. */
export interface StateSettings {
  /** The input that takes it. */
  readonly inputName: string;
  /** The output that gives it for the next request. */
  readonly outputName: string;
  /** Before the first request, -1 for the request's rows; empty for what the signature says. */
  readonly initialShape: readonly number[];
  /** The elements before the first request, where -1 is 1; empty for zeros. */
  readonly initialRaw: Uint8Array;
}

/** Bounds of the sequences of one replica. */
export interface SequenceBounds {
  readonly sequencesMax: number;
  /** Requests of one sequence that wait for the one before. */
  readonly waitingMax: number;
  /** How long a sequence is kept after its last request. */
  readonly idleMs: number;
}
