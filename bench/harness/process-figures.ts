import { readFile } from "node:fs/promises";

/** Processor time that a process has used so far, all of its threads, in seconds. Linux only, as everything here. */
export async function cpuSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  // The program's name comes second, in parentheses, and may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [user, system] = [Number(fields[11]), Number(fields[12])];
  return (user + system) / ticksPerSecond;
}

/** What the kernel counts in, for every program: USER_HZ. */
const ticksPerSecond = 100;

/** Memory of a process, without that of its children. */
export interface Resident {
  readonly nowBytes: number;
  /** The most that it has ever been. */
  readonly peakBytes: number;
}

export async function residentOf(pid: number): Promise<Resident> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  const bytes = (key: string) => Number(new RegExp(`^${key}:\\s*(\\d+) kB$`, "m").exec(text)?.[1]) * 1024;
  return { nowBytes: bytes("VmRSS"), peakBytes: bytes("VmHWM") };
}
