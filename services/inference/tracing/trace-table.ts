import { ServiceError } from "../../../lib/errors.ts";
import { type TraceChange, type TraceSettings, untraced } from "./trace-settings.ts";

/** Where a trace goes. */
export interface TraceTarget {
  readonly file: string;
  /** After so many traces the next file begins; 0 for one file. */
  readonly logFrequency: number;
}

/** What was said of all models, or of one. */
interface Scope<Settings> {
  settings: Settings;
  /** Since the last one that was traced, or the rate was said. */
  requestCount: number;
}

/**
 * The trace settings of a node, and which requests they trace. What is not said of a model is as it is said of all: with its count,
 * and with its place in the rate, which all these models then share.
 */
export class TraceTable {
  readonly #all: Scope<TraceSettings> = { settings: untraced, requestCount: 0 };
  readonly #models = new Map<string, Scope<TraceChange>>();
  #isOn = false;

  /** Whether there is a model whose requests may be traced. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Those of a model; of all that have none of their own where it is empty. */
  settings(model: string): TraceSettings {
    return { ...this.#all.settings, ...this.#models.get(model)?.settings };
  }

  /** Changes those of a model, or of all where it is empty. Throws REQUEST_INVALID where too many models have their own. */
  change(model: string, change: TraceChange): void {
    const scope = model === "" ? this.#all : this.#scopeOf(model, change);
    const presets = model === "" ? untraced : {};
    scope.settings = merged(scope.settings, change, presets) as TraceSettings;
    if (Object.hasOwn(change, "trace_rate")) scope.requestCount = 0;
    if (model !== "" && Object.keys(scope.settings).length === 0) this.#models.delete(model);
    this.#isOn = [this.#all, ...this.#models.values()].some(({ settings }) => settings.trace_level === "TIMESTAMPS");
  }

  /** Ends all tracing, until a level is said again. */
  turnOff(): void {
    this.change("", { trace_level: "OFF" });
    for (const [model, { settings }] of [...this.#models]) {
      if (settings.trace_level === "TIMESTAMPS") this.change(model, { trace_level: undefined });
    }
  }

  /** Counts a request; answers where to trace it to, undefined where it is not traced. */
  next(model: string): TraceTarget | undefined {
    const all = this.#all;
    const own = this.#models.get(model);
    const { trace_level, trace_rate, trace_count, trace_file, log_frequency } = this.settings(model);
    if (trace_level === "OFF" || trace_count === 0) return undefined;
    const rated = own?.settings.trace_rate === undefined ? all : own;
    rated.requestCount++;
    if (rated.requestCount < trace_rate) return undefined;
    rated.requestCount = 0;
    if (trace_count > 0) {
      const counted = own?.settings.trace_count === undefined ? all : own;
      counted.settings = { ...counted.settings, trace_count: trace_count - 1 } as TraceSettings;
    }
    return { file: trace_file, logFrequency: log_frequency };
  }

  #scopeOf(model: string, change: TraceChange): Scope<TraceChange> {
    const found = this.#models.get(model);
    if (found !== undefined || Object.values(change).every((value) => value === undefined)) {
      return found ?? { settings: {}, requestCount: 0 };
    }
    if (this.#models.size >= modelsMax) {
      const message = `${modelsMax} models have trace settings of their own; needed: one that has none any more`;
      throw new ServiceError("REQUEST_INVALID", message);
    }
    const scope: Scope<TraceChange> = { settings: {}, requestCount: 0 };
    this.#models.set(model, scope);
    return scope;
  }
}

function merged(settings: TraceChange, change: TraceChange, presets: TraceChange): TraceChange {
  const taken = Object.entries({ ...settings, ...change }).filter(([, value]) => value !== undefined);
  return { ...presets, ...Object.fromEntries(taken) };
}

/** With settings of their own. */
const modelsMax = 1024;
