import { assert, messageOf } from "../../../lib/errors.ts";
import { whenOrphaned } from "../../../lib/orphaned.ts";
import { startThread } from "../../../lib/start-thread.ts";
import { type HostMessage, isLast, type ProcessMessage } from "./protocol.ts";

// The entry of a job process: one task, in a thread, so that it can end itself while that works; then it ends.
assert(process.send !== undefined, "this file is run as a process with an IPC channel");
const thread = startThread(new URL("./task-thread", import.meta.url), { name: "task" });
process.on("message", (message: HostMessage) => thread.postMessage(message));
thread.on("message", (message: ProcessMessage) => say(message));
thread.on("error", (failure) => say({ kind: "failed", message: messageOf(failure), stack: failure.stack }));
thread.on("exit", (code) => say({ kind: "failed", message: `the task's thread ended with the code ${code}` }));
// The trainer is gone, and whatever is done is done for nobody.
whenOrphaned(process, () => process.kill(process.pid, "SIGKILL"));
// These are for the trainer: it says when its jobs stop.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => undefined);

function say(message: ProcessMessage): void {
  // Where the channel is broken the trainer is gone. An exit would wait for the thread to leave the runtime.
  process.send!(message, () => isLast(message) && process.kill(process.pid, "SIGKILL"));
}
