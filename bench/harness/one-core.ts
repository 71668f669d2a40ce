import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * Lets a process run on the last core alone that this one may use; others may use that too. Who is woken is put on the core of who woke it, also
 * where another one is idle: a load and a server that answer each other would wait for each other there half of the time, as they do not
 * where the load comes from another machine. Needs `taskset` of util-linux.
 */
export function keepToOneCore(pid: number): void {
  const [, allowed] = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))!;
  execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", lastOf(allowed!), String(pid)]);
}

/** Of a list of cpuset(7), such as "0-3,7". */
function lastOf(list: string): string {
  return list.split(/[-,]/).at(-1)!;
}
