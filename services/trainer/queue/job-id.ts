import { randomBytes } from "node:crypto";

/** A new job id: 9 characters of time, so that ids sort by age, and 10 of chance; a-z and 0-9. */
export function createJobId(timeMs: number): string {
  const time = Math.floor(timeMs).toString(36).padStart(9, "0");
  const chance = [...randomBytes(10)].map((byte) => (byte % 36).toString(36)).join("");
  return time + chance;
}
