import { ServiceError } from "../../../lib/errors.ts";

/** Calls of one method that ended with one status. */
export interface CallCount {
  /** "/package.Service/Method". */
  readonly method: string;
  /** The gRPC status. */
  readonly code: number;
  readonly count: number;
}

/** Calls that the gateway itself refused for one reason. */
export interface RefusalCount {
  readonly reason: string;
  /** The limit that they were above; empty where there was none. */
  readonly limit: string;
  readonly count: number;
}

/** Counts what has become of calls by method, for methods that are served: there are so many, whatever callers ask for. */
export class CallFigures {
  /** By method; in each by code. */
  readonly #calls = new Map<string, Float64Array>();
  /** By reason and limit. */
  readonly #refusals = new Map<string, Omit<RefusalCount, "count"> & { count: number }>();

  /** A call has ended. */
  ended(method: string, code: number): void {
    let counts = this.#calls.get(method);
    if (counts === undefined) {
      counts = new Float64Array(codeCount);
      this.#calls.set(method, counts);
    }
    counts[code < codeCount ? code : codeUnknown]!++;
  }

  /** A step of a call has thrown this. */
  refused(thrown: unknown): void {
    if (!(thrown instanceof ServiceError)) return;
    const { reason, metadata } = thrown;
    const { limit = "" } = metadata;
    const key = `${reason} ${limit}`;
    const known = this.#refusals.get(key);
    if (known !== undefined) known.count++;
    else this.#refusals.set(key, { reason, limit, count: 1 });
  }

  *calls(): Generator<CallCount> {
    for (const [method, counts] of this.#calls) {
      for (const [code, count] of counts.entries()) if (count > 0) yield { method, code, count };
    }
  }

  refusals(): Iterable<RefusalCount> {
    return this.#refusals.values();
  }
}

/** Of gRPC's statuses. */
export const codeCount = 17;
/** What others count as. */
export const codeUnknown = 2;
