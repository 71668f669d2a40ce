import { EventEmitter } from "node:events";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { elementBytes, elementCount, type Signature, type TensorSpec } from "../../../lib/tensor.ts";
import { RunClaim } from "../worker/run-claim.ts";
import type { SessionTensor, ThreadReply, ThreadRequest } from "../worker/thread-protocol.ts";
import { PolledThread, type WorkerThread } from "../worker/worker-thread.ts";

/** Follows the thread protocol without a thread: answers every run with zeros, a turn of the event loop later. */
export function startEcho(signature: Signature): WorkerThread {
  const { port1: replies, port2: ownReplies } = new MessageChannel();
  return new PolledThread(new EchoThread(signature, ownReplies), replies);
}

class EchoThread extends EventEmitter {
  readonly #outputs: ReadonlyMap<string, TensorSpec>;
  readonly #replies: MessagePort;
  /** Requests go through a channel too, since what is transferred has to be empty afterwards. */
  readonly #requests = new MessageChannel();

  constructor(signature: Signature, replies: MessagePort) {
    super();
    this.#outputs = new Map(signature.outputs.map((output) => [output.name, output]));
    this.#replies = replies;
    this.#requests.port2.on("message", (request: ThreadRequest) => this.#obey(request));
    this.#say({ kind: "loaded", signature, intraOpThreads: 1, kept: [] });
  }

  postMessage(request: ThreadRequest, transfer: readonly ArrayBuffer[]): void {
    this.#requests.port1.postMessage(request, transfer);
  }

  #obey(request: ThreadRequest): void {
    if (request.kind === "stop") {
      this.#requests.port2.close();
      this.#replies.close();
      this.emit("exit", 0);
      return;
    }
    if (request.kind !== "run") return;
    const { runId, inputs, outputNames, ahead } = request;
    if (ahead !== undefined && !new RunClaim(ahead.claim).take()) return;
    const rows = inputs[0]!.shape[0]!;
    const outputs = outputNames.map((name) => zeros(this.#outputs.get(name)!, rows));
    const phases = { inputMs: 0.01, computeMs: 0.1, outputMs: 0.01 };
    this.#say({ kind: "ran", runId, outputs, phases }, [...new Set(outputs.map(({ bytes }) => bytes.buffer))]);
  }

  #say(reply: ThreadReply, transfer: ArrayBuffer[] = []): void {
    this.#replies.postMessage(reply, transfer);
  }
}

function zeros({ name, dataType, shape: dimensions }: TensorSpec, rows: number) {
  const shape = dimensions.map((size) => (typeof size === "number" ? size : rows));
  const bytes = new Uint8Array(elementCount(shape) * elementBytes[dataType]!);
  return { name, dataType, shape, bytes } satisfies SessionTensor;
}
