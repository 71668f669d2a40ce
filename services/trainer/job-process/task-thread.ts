import { parentPort } from "node:worker_threads";
import { assert, messageOf, ServiceError } from "../../../lib/errors.ts";
import type { HostMessage, LastWord, ProcessMessage, Task, TaskKind, Tasks } from "./protocol.ts";
import type { TaskHost } from "./task-host.ts";

// The entry of the thread of a job process.
assert(parentPort !== null, "this file is run as a thread");
const port = parentPort;

type TaskWork<Kind extends TaskKind> = (task: Tasks[Kind]["task"], host: TaskHost) => Promise<Tasks[Kind]["result"]>;
/** What only other tasks need is not loaded. */
const tasks: { readonly [Kind in TaskKind]: () => Promise<TaskWork<Kind>> } = {
  train: async () => (await import("./train-task.ts")).train,
  evaluate: async () => (await import("./evaluate-task.ts")).evaluate,
  predict: async () => (await import("./predict-task.ts")).predict,
  check: async () => (await import("./check-task.ts")).check,
  inspect: async () => (await import("./inspect-task.ts")).inspect,
};
const pausing = new AbortController();

port.on("message", (message: HostMessage) => {
  handle[message.kind](message as never);
});

const handle: { readonly [Kind in HostMessage["kind"]]: (message: Extract<HostMessage, { kind: Kind }>) => void } = {
  // What cannot be loaded is told by the task that needs it.
  prepare: () => void tasks.train().catch(() => undefined),
  begin: ({ task }) => void work(task).then(say),
  pause: () => pausing.abort(new Error("the task is to stop")),
};

async function work(task: Task): Promise<LastWord> {
  try {
    return { kind: "finished", result: await (await workOf(task))(task, { say, pause: pausing.signal }) };
  } catch (failure) {
    if (failure === pausing.signal.reason) return { kind: "stopped" };
    const { reason, metadata } = failure instanceof ServiceError ? failure : {};
    const stack = failure instanceof Error ? failure.stack : undefined;
    return { kind: "failed", reason, metadata, message: messageOf(failure), stack };
  }
}

/** Whoever calls this gives it the same task. */
function workOf({ kind }: Task): Promise<TaskWork<TaskKind>> {
  return tasks[kind]() as unknown as Promise<TaskWork<TaskKind>>;
}

function say(message: ProcessMessage): void {
  port.postMessage(message);
}
