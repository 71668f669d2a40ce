import type { Graph } from "../../../lib/onnx/graph.ts";
import { type Device, needsFixedSizes } from "./device.ts";
import { modelFileOf } from "./model-file.ts";
import { openSession, type Session } from "./runtime.ts";

/** What the sessions of one graph share. */
export interface SessionsOptions {
  readonly threadCount: number;
  readonly device: Device;
  /** Names of tensors that are carried from run to run. */
  readonly carried?: readonly string[];
  /** The graph for rows that lie in axes of such sizes; for any where there are none. */
  graph(sizes?: readonly number[]): Graph;
}

/**
 * The sessions of a graph: one for rows of any number, or one for each number where the device needs sizes that are fixed. A run has two
 * of those at most, since all batches but the last of an epoch are of one size. They are opened when they are first needed.
 */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #opened = new Map<string, Session>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** The one for rows that lie in axes of such sizes. Throws UNSUPPORTED where there is no such device. */
  async of(sizes: readonly number[]): Promise<Session> {
    const { device, threadCount, carried, graph } = this.#options;
    const fixed = needsFixedSizes(device) ? sizes : undefined;
    const key = `${fixed}`;
    const known = this.#opened.get(key);
    if (known !== undefined) return known;
    const session = await openSession(await modelFileOf(graph(fixed), device), threadCount, { device, carried });
    this.#opened.set(key, session);
    return session;
  }

  /** The operators that the device left to the CPU in what has run so far. */
  get leftToCpu(): readonly string[] {
    return [...this.#opened.values()].flatMap((session) => session.leftToCpu);
  }

  async release(): Promise<void> {
    for (const session of this.#opened.values()) await session.release();
  }
}
