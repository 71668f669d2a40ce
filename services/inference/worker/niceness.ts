import { getPriority, setPriority } from "node:os";

/**
 * Makes this thread nicer by so much, 0 to 19, and with it each thread that it starts from now on, such as the runtime's own: where both want
 * the same core, a thread of the node's event loop gets it first. Only on Linux, where a thread has a niceness of its own; elsewhere nothing is
 * done, as it would be the whole process's (setpriority(2), "C library/kernel differences").
 */
export function makeNicer(by: number): void {
  if (process.platform !== "linux" || by === 0) return;
  setPriority(thisThread, Math.min(getPriority(thisThread) + by, nicestMax));
}

/** Of a process it would be the first thread, and here it is the one that asks. */
const thisThread = 0;
const nicestMax = 19;
