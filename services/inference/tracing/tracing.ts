import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import { RequestTrace } from "./request-trace.ts";
import { TraceFiles, waitingMax } from "./trace-files.ts";
import { TraceTable } from "./trace-table.ts";

/** What tracing is made of. */
export interface TracingOptions {
  /** Where trace files are. */
  readonly folder: string;
  /** Of all trace files together. */
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Traces single requests, as clients set it. What is set is forgotten when the node stops. */
export class Tracing {
  readonly settings = new TraceTable();
  readonly files: TraceFiles;
  readonly #clock: Clock;
  #count = 0;

  constructor({ folder, bytesMax, clock, log }: TracingOptions) {
    this.#clock = clock;
    this.files = new TraceFiles({
      folder,
      bytesMax,
      onFailure: (failure) => {
        // Requests that were under way end later, and meet the same fault.
        if (!this.settings.isOn) return;
        this.settings.turnOff();
        log.error({ error: failure }, "traces cannot be written: tracing is off until a trace_level is set again");
      },
      onDropped: (droppedCount) => {
        log.warn({ droppedCount, waitingMax }, "traces were dropped that came faster than they could be written");
      },
    });
  }

  /** When a request arrives now that may be traced; undefined where none is. */
  get arrivalMs(): number | undefined {
    return this.settings.isOn ? this.#clock.monotonicMs() : undefined;
  }

  /** The trace of a request that arrived at `arrivalMs`; undefined where it is not its turn. */
  begin(request: { readonly modelName: string; readonly id: string }, version: number, arrivalMs: number | undefined) {
    if (arrivalMs === undefined) return undefined;
    const target = this.settings.next(request.modelName);
    if (target === undefined) return undefined;
    this.#count++;
    const traced = { id: this.#count, model: request.modelName, version, requestId: request.id, arrivedMs: arrivalMs };
    return new RequestTrace(traced, { target, clock: this.#clock, onEnd: (trace) => this.files.add(trace) });
  }
}
