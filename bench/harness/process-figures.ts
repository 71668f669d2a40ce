import { readdir, readFile } from "node:fs/promises";
import { setTimeout as passed } from "node:timers/promises";

/** Processor time that a process has used so far, all of its threads, in seconds. Linux only, as everything here. */
export async function cpuSeconds(pid: number): Promise<number> {
  return (await cpuSecondsWithChildren(pid)).own;
}

/** The same, and that of the processes which it had started and which are gone. */
export async function cpuSecondsWithChildren(pid: number): Promise<CpuTime> {
  return cpuTimeIn(await statOf(pid));
}

/** Processor time of a process, in seconds. */
export interface CpuTime {
  readonly own: number;
  /** Of the processes that it had started and that are gone. */
  readonly ended: number;
}

/** A process, and the one that has started it. */
export interface KnownProcess extends CpuTime {
  readonly pid: number;
  readonly parent: number;
}

/** Every process of the machine. */
export async function allProcesses(): Promise<KnownProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  // Some end meanwhile.
  const found = await Promise.all(pids.map((pid) => statOf(pid).catch(() => undefined)));
  return found.flatMap((stat, place) =>
    stat === undefined ? [] : [{ pid: pids[place]!, parent: Number(stat[1]), ...cpuTimeIn(stat) }],
  );
}

/** The third and later columns of /proc/PID/stat; proc_pid_stat(5). */
async function statOf(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  // The program's name comes second, in parentheses, and may hold anything.
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function cpuTimeIn(stat: readonly string[]): CpuTime {
  const [user, system, endedUser, endedSystem] = stat.slice(11, 15).map(Number) as [number, number, number, number];
  return { own: (user + system) / ticksPerSecond, ended: (endedUser + endedSystem) / ticksPerSecond };
}

/** What the kernel counts in, for every program: USER_HZ. */
export const ticksPerSecond = 100;

/**
 * Looks at the processes that one has started, from now until the end, every 20 ms; `end` answers the most bytes of memory that any of them has
 * held.
 */
export function peakOfChildren(pid: number): { end(): Promise<number> } {
  let peakBytes = 0;
  const look = async () => {
    const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).split(" ").filter(Boolean);
    // One that has ended meanwhile has been looked at before.
    const seen = await Promise.all(children.map((child) => residentOf(Number(child)).catch(() => undefined)));
    peakBytes = Math.max(peakBytes, ...seen.map((resident) => resident?.peakBytes || 0));
  };
  const over = new AbortController();
  const looking = (async () => {
    while (!over.signal.aborted) {
      await look();
      await passed(20);
    }
  })();
  looking.catch(() => undefined);
  return {
    end: async () => {
      over.abort();
      await looking;
      return peakBytes;
    },
  };
}

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
