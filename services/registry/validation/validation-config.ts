import { totalmem } from "node:os";
import type { Settings } from "../../../lib/env.ts";

/** How models are validated. */
export interface ValidationConfig {
  /** Validator processes of this registry at the same time. */
  readonly processes: number;
  /** How long one validation may take, in milliseconds. */
  readonly timeoutMs: number;
  /** What a validator process may hold. */
  readonly memoryBytesMax: number;
  /** How often a validator is given a variant that it cannot say anything of: the machine is short of something, or dies. */
  readonly attemptsMax: number;
  /** Variants that may wait for their validation when another one comes. */
  readonly waitingMax: number;
  /** Variants that may wait for their artifacts when another one comes. */
  readonly uploadingMax: number;
  /** Outcomes that are kept, so that known content needs no validation. */
  readonly keptMax: number;
  /** How long a version may wait for its artifacts, and for its validation, in milliseconds. */
  readonly ageMsMax: number;
}

/** Reads and checks the settings about validation. */
export function readValidationConfig(settings: Settings): ValidationConfig {
  const whole = (name: string, preset: number, min: number, max: number) =>
    settings.integer(`AMAAS_${name}`, { default: preset, min, max });
  return {
    processes: whole("VALIDATION_PROCESSES", 1, 1, 64),
    timeoutMs: whole("VALIDATION_TIMEOUT_MS", 120_000, 100, 24 * hourMs),
    memoryBytesMax: whole("VALIDATION_MEMORY_BYTES_MAX", memoryBytesPreset(), 256 * 1024 ** 2, 1024 ** 4),
    attemptsMax: whole("VALIDATION_ATTEMPTS_MAX", 8, 1, 100),
    waitingMax: whole("VALIDATIONS_WAITING_MAX", 1000, 1, 1_000_000),
    uploadingMax: whole("VERSIONS_UPLOADING_MAX", 1000, 1, 1_000_000),
    keptMax: whole("VALIDATIONS_KEPT_MAX", 100_000, 1, 10_000_000),
    ageMsMax: whole("VERSION_INCOMPLETE_AGE_MAX_MS", 7 * 24 * hourMs, 1000, 365 * 24 * hourMs),
  };
}

const hourMs = 3_600_000;

/** Three quarters of the machine's memory, or of what this process is confined to. */
function memoryBytesPreset(): number {
  const confined = process.constrainedMemory();
  const bytes = confined > 0 ? Math.min(confined, totalmem()) : totalmem();
  return Math.max(Math.floor(0.75 * bytes), 256 * 1024 ** 2);
}
