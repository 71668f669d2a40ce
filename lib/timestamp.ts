/** `google.protobuf.Timestamp` of milliseconds since 1970; null for undefined, which leaves the field unset. */
export function timestampOf(timeMs: number | undefined): { seconds: number; nanos: number } | null {
  if (timeMs === undefined) return null;
  const seconds = Math.floor(timeMs / 1000);
  return { seconds, nanos: Math.round((timeMs - seconds * 1000) * 1e6) };
}

/** The milliseconds since 1970 of a `google.protobuf.Timestamp`; they may have a fraction. */
export function timeMsOf({ seconds, nanos }: { readonly seconds: number; readonly nanos: number }): number {
  return seconds * 1000 + nanos / 1e6;
}

/** The milliseconds of a `google.protobuf.Duration`. */
export function durationMsOf({ seconds, nanos }: { readonly seconds: number; readonly nanos: number }): number {
  return seconds * 1000 + nanos / 1e6;
}

/** `google.protobuf.Duration` of milliseconds. */
export function durationOf(durationMs: number): { seconds: number; nanos: number } {
  const seconds = Math.floor(durationMs / 1000);
  return { seconds, nanos: Math.round((durationMs - seconds * 1000) * 1e6) };
}
