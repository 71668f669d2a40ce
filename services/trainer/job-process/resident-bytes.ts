import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** Bytes of memory that a process of this machine holds; undefined where it is gone, or the system does not tell. */
export async function residentBytes(processId: number): Promise<number | undefined> {
  try {
    const kibibytes = process.platform === "linux" ? await fromProc(processId) : await fromPs(processId);
    return kibibytes > 0 ? kibibytes * 1024 : undefined;
  } catch {
    return undefined;
  }
}

async function fromProc(processId: number): Promise<number> {
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(await readFile(`/proc/${processId}/status`, "latin1"))?.[1] ?? 0);
}

async function fromPs(processId: number): Promise<number> {
  const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", String(processId)]);
  return Number(stdout);
}

/** How many processes the system has ended because it was short of memory, as far as it tells. */
export async function systemKills(): Promise<number> {
  const counts = await Promise.all(
    ["/proc/vmstat", "/sys/fs/cgroup/memory.events"].map(async (path) => {
      const text = await readFile(path, "latin1").catch(() => "");
      return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
