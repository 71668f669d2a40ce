import { readdirSync, readFileSync } from "node:fs";

/** The ids of the children of this process whose command has the text. */
export function childProcesses(command: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((id) => {
      try {
        const stat = readFileSync(`/proc/${id}/stat`, "latin1");
        const [state, parentId] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        const isMine = Number(parentId) === process.pid && state !== "Z";
        return isMine && readFileSync(`/proc/${id}/cmdline`, "latin1").includes(command);
      } catch {
        // It is gone.
        return false;
      }
    })
    .map(Number);
}
