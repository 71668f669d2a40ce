import { ServiceError } from "../../../lib/errors.ts";
import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import type { LogSettingsRequest__Output as Request } from "../../../lib/gen/inference/LogSettingsRequest.ts";
import type { LevelledLog, LogLevel } from "../../../lib/log.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";

type Choice = "boolParam" | "uint32Param" | "stringParam";

/** The settings and their types, in Triton's words. */
const choices = {
  log_file: "stringParam",
  log_info: "boolParam",
  log_warning: "boolParam",
  log_error: "boolParam",
  log_verbose_level: "uint32Param",
  log_format: "stringParam",
} as const satisfies Record<string, Choice>;
type Name = keyof typeof choices;

/** LogSettings: reads and changes the level of the node's log; what it has no choice of can only be said as it is. */
export function logSettingsHandlers(log: LevelledLog) {
  return {
    LogSettings: ({ settings }) => {
      const level = levelOf(changed(shownOf(log.level), settings));
      // Nothing is changed by a call that asks for nothing, or for what is not possible.
      if (Object.keys(settings).length > 0) log.level = level;
      return { settings: messageOf(shownOf(log.level)) };
    },
  } satisfies Handlers<GRPCInferenceServiceHandlers>;
}

type Shown = Readonly<Record<Name, boolean | number | string>>;

/** Verbose is what Triton calls the levels below info: 1 is debug, from 2 on trace. */
function shownOf(level: LogLevel): Shown {
  return {
    log_file: "",
    log_info: ["info", "debug", "trace"].includes(level),
    log_warning: ["warn", "info", "debug", "trace"].includes(level),
    log_error: ["error", "warn", "info", "debug", "trace"].includes(level),
    log_verbose_level: level === "trace" ? 2 : level === "debug" ? 1 : 0,
    log_format: "ISO8601",
  };
}

function changed(shown: Shown, settings: Request["settings"]): Shown {
  const next: Record<Name, boolean | number | string> = { ...shown };
  for (const [name, value] of Object.entries(settings)) {
    if (!Object.hasOwn(choices, name)) {
      throw refused(name, "not known", `one of ${Object.keys(choices).join(", ")}`);
    }
    const choice: Choice = choices[name as Name];
    const seen = value[choice];
    if (seen === undefined) throw refused(name, `a ${value.parameterChoice ?? "nothing"}`, `a ${choice}`);
    next[name as Name] = seen;
  }
  for (const name of ["log_file", "log_format"] as const) {
    if (next[name] !== shown[name]) throw refused(name, JSON.stringify(next[name]), JSON.stringify(shown[name]));
  }
  return next;
}

/** Lines are written from a severity on: one that is on needs those above it. */
function levelOf({ log_info, log_warning, log_error, log_verbose_level }: Shown): LogLevel {
  if (log_info && !log_warning) throw refused("log_warning", "false", "true with log_info");
  if (log_warning && !log_error) throw refused("log_error", "false", "true with log_warning");
  if (Number(log_verbose_level) > 0) {
    if (!log_info) throw refused("log_info", "false", "true with log_verbose_level above 0");
    return log_verbose_level === 1 ? "debug" : "trace";
  }
  return log_info ? "info" : log_warning ? "warn" : log_error ? "error" : "fatal";
}

function messageOf(shown: Shown) {
  return Object.fromEntries(Object.entries(shown).map(([name, value]) => [name, { [choices[name as Name]]: value }]));
}

function refused(name: string, seen: string, needed: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", `the log setting '${name}' is ${seen}; needed: ${needed}`);
}
