import { assert, messageOf } from "../../../lib/errors.ts";
import { whenOrphaned } from "../../../lib/orphaned.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import { carriable } from "./channel-bounds.ts";
import type { ProcessReply } from "./process-protocol.ts";
import type { ThreadRequest, ThreadStart } from "./thread-protocol.ts";
import { startInThread, type WorkerThread } from "./worker-thread.ts";

// The entry of a process that has one session, in a thread, so that it can end itself while that runs.
assert(process.send !== undefined, "this file is run as a process with an IPC channel");

/** Settles when the last word has gone out. */
let said = Promise.resolve();

process.once("message", (start: ThreadStart) => serve(startInThread(start, undefined)));
// The node is gone, and whatever runs runs for nobody.
whenOrphaned(process, () => process.kill(process.pid, "SIGKILL"));
// These are for the node: it says when its sessions end.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => undefined);

function serve(thread: WorkerThread): void {
  thread.on("message", (reply) => say(carriable(reply)));
  thread.on("error", (failure) => say({ kind: "died", why: messageOf(failure) }));
  thread.on("exit", (code) => void said.then(() => process.exit(Number(code))));
  process.on("message", (request: ThreadRequest) => {
    if (request.kind !== "run") thread.postMessage(request);
    else {
      const inputs = request.inputs.map(owned);
      thread.postMessage(
        { ...request, inputs },
        inputs.map(({ bytes }) => bytes.buffer as ArrayBuffer),
      );
    }
  });
}

/** In a buffer of its own: those of one message lie in one. */
function owned(tensor: Tensor): Tensor {
  return { ...tensor, bytes: new Uint8Array(tensor.bytes) };
}

function say(reply: ProcessReply): void {
  // Where the channel is broken the node is gone.
  said = new Promise((resolve) => process.send!(reply, () => resolve()));
}
