import { type Reason, ServiceError } from "../../../lib/errors.ts";
import { quoted } from "../tensors/tensor-fault.ts";

/** What is traced, and where to, under Triton's names. */
export interface TraceSettings {
  /** A file in the node's folder for traces. */
  readonly trace_file: string;
  readonly trace_level: "OFF" | "TIMESTAMPS";
  /** Of so many requests one is traced, the last. */
  readonly trace_rate: number;
  /** Requests that are still to be traced; -1 sets no bound. */
  readonly trace_count: number;
  /** After so many traces the next file begins; 0 for one file. */
  readonly log_frequency: number;
  readonly trace_mode: "triton";
}

/** New values by setting; undefined takes back what was said. */
export type TraceChange = { readonly [Name in keyof TraceSettings]?: TraceSettings[Name] | undefined };

/** What holds where nobody has said anything. */
export const untraced: TraceSettings = {
  trace_file: "trace.json",
  trace_level: "OFF",
  trace_rate: 1000,
  trace_count: -1,
  log_frequency: 0,
  trace_mode: "triton",
};

const readers: { readonly [Name in keyof TraceSettings]: (values: readonly string[]) => TraceSettings[Name] } = {
  trace_file: (values) => {
    const name = single("trace_file", values, fileNeeded);
    if (!filePattern.test(name)) throw refused("trace_file", values, fileNeeded);
    return name;
  },
  trace_level: (values) => {
    if (values.includes("TENSORS")) {
      throw refused("trace_level", values, "OFF or TIMESTAMPS; tensors are not traced here", "UNSUPPORTED");
    }
    const level = single("trace_level", values, "OFF or TIMESTAMPS");
    if (level !== "OFF" && level !== "TIMESTAMPS") throw refused("trace_level", values, "OFF or TIMESTAMPS");
    return level;
  },
  trace_rate: (values) => whole("trace_rate", values, 1),
  trace_count: (values) => whole("trace_count", values, -1),
  log_frequency: (values) => whole("log_frequency", values, 0),
  trace_mode: (values) => {
    const mode = single("trace_mode", values, "triton");
    if (mode === "opentelemetry") {
      throw refused("trace_mode", values, "triton; opentelemetry is not served here", "UNSUPPORTED");
    }
    if (mode !== "triton") throw refused("trace_mode", values, "triton");
    return mode;
  },
};

/**
 * The values of a request's settings, each a list of texts; an empty one takes back what was said.
 *
 * Throws REQUEST_INVALID with the first that is unknown or malformed, UNSUPPORTED where Triton would take it.
 */
export function readTraceChange(
  settings: Readonly<Record<string, { readonly value: readonly string[] }>>,
): TraceChange {
  const entries = Object.entries(settings).map(([name, { value }]) => {
    if (!Object.hasOwn(readers, name)) {
      const message = `the trace setting ${quoted(name)} is not known; needed: one of ${Object.keys(readers).join(", ")}`;
      throw new ServiceError("REQUEST_INVALID", message);
    }
    return [name, value.length === 0 ? undefined : readers[name as keyof TraceSettings](value)] as const;
  });
  return Object.fromEntries(entries);
}

/** A text, and the whole of what was said. */
function single(name: string, values: readonly string[], needed: string): string {
  if (values.length !== 1) throw refused(name, values, `one value: ${needed}`);
  return values[0];
}

function whole(name: string, values: readonly string[], min: number): number {
  const needed = `a whole number from ${min} to ${numberMax}`;
  const text = single(name, values, needed);
  const number = Number(text);
  if (!/^(-?[1-9]\d*|0)$/.test(text) || number < min || number > numberMax) throw refused(name, values, needed);
  return number;
}

function refused(name: string, values: readonly string[], needed: string, reason: Reason = "REQUEST_INVALID") {
  const seen = values.length === 1 ? quoted(values[0]) : `${values.length} values`;
  return new ServiceError(reason, `the trace setting '${name}' is ${seen}; needed: ${needed}`);
}

/** No path, nothing hidden, and with an index behind it still a name that every file system takes. */
const filePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const fileNeeded =
  "the name of a file in the node's own folder: 1 to 128 of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit";
/** As Triton's own numbers. */
const numberMax = 2 ** 31 - 1;
