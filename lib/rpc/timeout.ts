import { ServiceError } from "../errors.ts";

/** The time that a header `grpc-timeout` gives, in milliseconds; Infinity without one. Throws REQUEST_INVALID. */
export function timeoutMsOf(header: string | string[] | undefined): number {
  if (header === undefined) return Infinity;
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(header)) ?? [];
  if (digits === undefined) {
    const seen = JSON.stringify(String(header).slice(0, 20));
    throw new ServiceError(
      "REQUEST_INVALID",
      `grpc-timeout is ${seen}; needed: at most 8 digits and one of H, M, S, m, u, n`,
    );
  }
  return Number(digits) * unitMs[unit as keyof typeof unitMs];
}

/** A time as that header says it, rounded up: 8 digits are enough for as many milliseconds as timers count, and then for hours. */
export function timeoutText(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms));
  return whole < 1e8 ? `${whole}m` : `${Math.min(99_999_999, Math.ceil(whole / 1000))}S`;
}

const unitMs = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 } as const;
