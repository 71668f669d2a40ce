import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { assert, messageOf, ServiceError } from "../../../lib/errors.ts";
import { refuseExternalData } from "../../../lib/onnx/external-data.ts";
import { readModel } from "../../../lib/onnx/model.ts";
import { signatureOf } from "../../../lib/onnx/signature.ts";
import type { Signature } from "../../../lib/tensor.ts";
import { isCarried, openSession, type Session } from "./runtime.ts";
import type { ThreadReply, ThreadRequest, ThreadStart } from "./thread-protocol.ts";

// The entry of an instance's thread: it loads one model, then runs it until it is told to stop.
assert(parentPort !== null, "this file is run as a thread");
const port = parentPort;

try {
  const { session, signature } = await load(workerData as ThreadStart);
  let last: Promise<void> = Promise.resolve();
  port.on("message", (request: ThreadRequest) => {
    last = last.then(() => obey(session, request));
  });
  say({ kind: "loaded", signature });
} catch (failure) {
  say({ kind: "refused", ...faultOf(failure) });
}

/** The session is made of the very bytes whose digest was checked, whatever happens to the file meanwhile. */
async function load({
  path,
  sha256,
  intraOpThreads,
}: ThreadStart): Promise<{ session: Session; signature: Signature }> {
  const bytes = await readFile(path);
  const seen = createHash("sha256").update(bytes).digest("hex");
  if (seen !== sha256) {
    throw new ServiceError("ARTIFACT_DIGEST_MISMATCH", `the artifact's bytes have SHA-256 ${seen}; needed: ${sha256}`);
  }
  const model = readModel(bytes);
  refuseExternalData(model);
  const signature = signatureOf(model);
  checkCarried(signature);
  return { session: await openSession(bytes, intraOpThreads), signature };
}

function checkCarried({ inputs, outputs }: Signature): void {
  const refused = [...inputs, ...outputs].find(({ dataType }) => !isCarried(dataType));
  if (refused === undefined) return;
  throw new ServiceError(
    "ARTIFACT_INVALID",
    `'${refused.name}' is ${refused.dataType}, which the runtime cannot carry`,
  );
}

async function obey(session: Session, request: ThreadRequest): Promise<void> {
  if (request.kind === "stop") {
    await session.release();
    port.close();
    return;
  }
  const { runId, inputs, outputNames } = request;
  try {
    const outputs = await session.run(inputs, outputNames);
    say({ kind: "ran", runId, outputs }, [...new Set(outputs.map(({ bytes }) => bytes.buffer as ArrayBuffer))]);
  } catch (failure) {
    say({ kind: "failed", runId, ...faultOf(failure) });
  }
}

function faultOf(failure: unknown): Pick<Extract<ThreadReply, { kind: "refused" }>, "reason" | "message"> {
  const reason = failure instanceof ServiceError ? failure.reason : "INTERNAL";
  return { reason, message: messageOf(failure) };
}

function say(reply: ThreadReply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(reply, transfer);
}
