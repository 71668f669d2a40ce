import { parentPort, threadId, workerData } from "node:worker_threads";
import { assert, messageOf, ServiceError } from "../../../lib/errors.ts";
import { RunMark } from "../isolation/run-mark.ts";
import { DeviceLock } from "./device-lock.ts";
import { loadModel } from "./loaded-model.ts";
import { makeNicer } from "./niceness.ts";
import { RunClaim } from "./run-claim.ts";
import type { Session } from "./runtime.ts";
import type { ThreadData, ThreadFault, ThreadReply, ThreadRequest } from "./thread-protocol.ts";

// The entry of an instance's thread: it loads one model, then runs it until it is told to stop.
assert(parentPort !== null, "this file is run as a thread");
const port = parentPort;

const { deviceLock, markPath, replies = port, ...start } = workerData as ThreadData;
const mark = markPath === undefined ? undefined : new RunMark(markPath, start.modelFile.sha256);
try {
  makeNicer(start.niceness);
  const { session, signature, intraOpThreads, kept } = await loadModel(start, new DeviceLock(deviceLock, threadId));
  let last: Promise<void> = Promise.resolve();
  port.on("message", (request: ThreadRequest) => {
    last = last.then(() => obey(session, request));
  });
  say({ kind: "loaded", signature, intraOpThreads, kept });
} catch (failure) {
  say({ kind: "refused", ...faultOf(failure) });
} finally {
  mark?.end();
}

async function obey(session: Session, request: ThreadRequest): Promise<void> {
  if (request.kind === "stop") {
    mark?.begin();
    await session.release();
    mark?.close();
    port.close();
    replies.close();
    return;
  }
  if (request.kind === "free") return marked(() => session.free(request.heldId));
  const { runId, inputs, outputNames, ahead } = request;
  if (ahead !== undefined) {
    if (!new RunClaim(ahead.claim).take()) return;
    if (Date.now() >= ahead.deadlineMs) return say({ kind: "late", runId });
  }
  try {
    const { outputs, phases } = await marked(() => session.run(inputs, outputNames));
    say({ kind: "ran", runId, outputs, phases }, [...new Set(outputs.map(({ bytes }) => bytes.buffer as ArrayBuffer))]);
  } catch (failure) {
    say({ kind: "failed", runId, ...faultOf(failure) });
  }
}

async function marked<Result>(work: () => Promise<Result>): Promise<Result> {
  mark?.begin();
  try {
    return await work();
  } finally {
    mark?.end();
  }
}

function faultOf(failure: unknown): ThreadFault {
  const { reason, metadata } =
    failure instanceof ServiceError ? failure : { reason: "INTERNAL" as const, metadata: {} };
  return { reason, message: messageOf(failure), metadata };
}

function say(reply: ThreadReply, transfer: ArrayBuffer[] = []): void {
  replies.postMessage(reply, transfer);
}
