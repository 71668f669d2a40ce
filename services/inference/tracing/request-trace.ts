import type { Clock } from "../../../lib/clock.ts";
import type { RunPhases } from "../worker/thread-protocol.ts";
import type { TraceTarget } from "./trace-table.ts";

/** Is told of the run of a job, on the path of requests. Times are those of `Clock.monotonicMs`. */
export interface RunTrace {
  /** It waited from `arrivedMs` until its run began, whose phases these are. Only the first of several runs counts. */
  ran(arrivedMs: number, begunMs: number, phases: RunPhases): void;
}

/** Which request is traced. */
export interface TracedRequest {
  readonly id: number;
  readonly model: string;
  readonly version: number;
  readonly requestId: string;
  readonly arrivedMs: number;
}

/** What becomes of a trace. */
export interface TraceOptions {
  readonly target: TraceTarget;
  readonly clock: Clock;
  readonly onEnd: (trace: RequestTrace) => void;
}

/** The trace of one request, from its arrival until `end`. */
export class RequestTrace implements RunTrace {
  readonly target: TraceTarget;
  readonly #request: TracedRequest;
  readonly #clock: Clock;
  readonly #onEnd: (trace: RequestTrace) => void;
  readonly #times: [name: string, atMs: number][];

  constructor(request: TracedRequest, { target, clock, onEnd }: TraceOptions) {
    this.target = target;
    this.#request = request;
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#times = [["REQUEST_START", request.arrivedMs]];
  }

  ran(arrivedMs: number, begunMs: number, { inputMs, computeMs, outputMs }: RunPhases): void {
    if (this.#times.length > 1) return;
    // One behind the other: where in between the way to the thread and back was is not known.
    const inputEndMs = begunMs + inputMs;
    const outputStartMs = inputEndMs + computeMs;
    this.#times.push(
      ["QUEUE_START", arrivedMs],
      ["COMPUTE_START", begunMs],
      ["COMPUTE_INPUT_END", inputEndMs],
      ["COMPUTE_OUTPUT_START", outputStartMs],
      ["COMPUTE_END", outputStartMs + outputMs],
    );
  }

  /** To be called once, with the answer or the fault; what was refused before it ran has no times in between. */
  end(): void {
    this.#times.push(["REQUEST_END", this.#clock.monotonicMs()]);
    this.#onEnd(this);
  }

  /** One object of Triton's list, without a line break. */
  text(): string {
    const { id, model, version, requestId } = this.#request;
    return JSON.stringify({
      id,
      model_name: model,
      model_version: version,
      request_id: requestId.slice(0, requestIdLengthMax),
      timestamps: this.#times.map(([name, atMs]) => ({ name, ns: Math.round(atMs * 1e6) })),
    });
  }
}

/** Callers choose it, and could fill memory and disk with it. */
const requestIdLengthMax = 256;
