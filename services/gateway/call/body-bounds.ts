/** What the body of a request may be, however it comes in. */
export interface BodyBounds {
  /** Of one, in bytes, also when it is expanded. */
  readonly bytesMax: number;
  /** How long none of a body may come, in milliseconds. */
  readonly idleMs: number;
  /** How long one may take to come, in milliseconds. */
  readonly msMax: number;
}

/** Who sends more slowly than that would hold, for as long as it likes, what others have no room for. */
export function bodyBounds(bytesMax: number): BodyBounds {
  return { bytesMax, idleMs: 10_000, msMax: 300_000 };
}
