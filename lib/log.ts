import { pino } from "pino";

/** Severities, most to least severe. */
export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Writes one JSON line per event: fields first, then the message. */
export interface Log {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  /** Whether lines of a severity are written: on a busy path, ask before you make their fields. */
  isLevelEnabled(level: LogLevel): boolean;
  /** A log that adds the same fields to every line. */
  child(fields: object): Log;
}

/** A log on standard output whose every line names the service. */
export function createLog(service: string, level: LogLevel): Log {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: pino.stdSerializers.errWithCause },
  });
}
