import { type Logger, pino } from "pino";

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

/** A log whose level can be changed at any time, for all of its children too. */
export interface LevelledLog extends Log {
  level: LogLevel;
}

/** A log on standard output whose every line names the service. */
export function createLog(service: string, level: LogLevel): LevelledLog {
  const lines = pino({
    level: "trace",
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: pino.stdSerializers.errWithCause },
  });
  return new SharedLevelLog(lines, { level });
}

/** pino's children keep the level that they were made with; these ask for it anew at every line. */
class SharedLevelLog implements LevelledLog {
  readonly #lines: Logger;
  readonly #shared: { level: LogLevel };

  constructor(lines: Logger, shared: { level: LogLevel }) {
    this.#lines = lines;
    this.#shared = shared;
  }

  get level(): LogLevel {
    return this.#shared.level;
  }

  set level(level: LogLevel) {
    this.#shared.level = level;
  }

  error(fields: object, message: string): void {
    if (this.isLevelEnabled("error")) this.#lines.error(fields, message);
  }

  warn(fields: object, message: string): void {
    if (this.isLevelEnabled("warn")) this.#lines.warn(fields, message);
  }

  info(fields: object, message: string): void {
    if (this.isLevelEnabled("info")) this.#lines.info(fields, message);
  }

  debug(fields: object, message: string): void {
    if (this.isLevelEnabled("debug")) this.#lines.debug(fields, message);
  }

  isLevelEnabled(level: LogLevel): boolean {
    return severityOf[level] <= severityOf[this.#shared.level];
  }

  child(fields: object): Log {
    return new SharedLevelLog(this.#lines.child(fields), this.#shared);
  }
}

/** The place in {@link logLevels}; silent is before all, so that nothing is as severe. */
const severityOf = {
  silent: -1,
  fatal: 0,
  error: 1,
  warn: 2,
  info: 3,
  debug: 4,
  trace: 5,
} as const satisfies Record<LogLevel, number>;
