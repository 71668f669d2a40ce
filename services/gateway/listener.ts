import type { Log } from "../../lib/log.ts";
import { payloadOf } from "../../lib/rpc/framing.ts";
import type { RpcServer } from "../../lib/rpc/server.ts";
import type { HeldBytes, RequestBytes } from "./admission/request-bytes.ts";
import type { Answers, MessageCall, Outcome } from "./answers.ts";
import { bodyBounds } from "./call/body-bounds.ts";
import { endOfStep, logCall } from "./call/call-log.ts";
import { IncomingCall } from "./call/incoming-call.ts";
import { onlyMessage } from "./call/messages.ts";
import type { CallLimit } from "./call-limit.ts";
import type { CallFigures } from "./figures/call-figures.ts";
import type { Connections } from "./forward/connections.ts";
import type { Forwarder } from "./forward/forwarder.ts";
import type { Limits } from "./limits/limits.ts";
import { StreamLimits } from "./limits/stream-limits.ts";
import type { Router } from "./router.ts";
import { InferStream, type InferStreamBounds } from "./streams/infer-stream.ts";

/** What the listener needs. */
export interface ListenerParts {
  readonly server: RpcServer;
  readonly answers: Answers;
  readonly router: Router;
  readonly nodes: Connections;
  readonly forwarder: Forwarder;
  readonly limit: CallLimit;
  readonly requestBytes: RequestBytes;
  readonly limits: Limits;
  readonly calls: CallFigures;
  readonly log: Log;
}

/** What the listener allows. */
export interface ListenerConfig extends InferStreamBounds {
  /** The deadline of a call with one message that has none, in milliseconds. */
  readonly defaultTimeoutMs: number;
}

/** Takes the calls of the Open Inference Protocol that come by gRPC. */
export class Listener {
  readonly #config: ListenerConfig;
  readonly #parts: ListenerParts;

  constructor(config: ListenerConfig, parts: ListenerParts) {
    this.#config = config;
    this.#parts = parts;
  }

  /** Adds the service to the server. Methods that nobody answers are UNIMPLEMENTED. */
  serve(): void {
    const { answers, server, requestBytes } = this.#parts;
    for (const [name, answer] of answers.methods) {
      this.#serve(name, async (call) => {
        const held = requestBytes.hold();
        try {
          return await answer(await this.#message(call, held));
        } finally {
          held.release();
        }
      });
    }
    this.#serve("ModelStreamInfer", (call) => this.#stream(call));
    server.describe(service);
  }

  /** The life of every call. */
  #serve(name: string, answer: (call: IncomingCall) => Promise<Outcome>): void {
    this.#parts.server.handle(`/${service}/${name}`, (stream, headers) => {
      const call = new IncomingCall(stream, headers);
      void this.#run(call, answer);
      return call;
    });
  }

  async #run(call: IncomingCall, answer: (call: IncomingCall) => Promise<Outcome>): Promise<void> {
    const { calls, log } = this.#parts;
    try {
      const { end, node } = await answer(call);
      calls.ended(call.path, end.code);
      logCall(log, call, end, true, node);
    } catch (thrown) {
      const end = endOfStep(log, call, thrown);
      call.end(end);
      calls.refused(thrown);
      calls.ended(call.path, end.code);
      logCall(log, call, end, true);
    }
  }

  async #message(call: IncomingCall, held: HeldBytes): Promise<MessageCall> {
    const { defaultTimeoutMs, messageBytesMax } = this.#config;
    call.begin(defaultTimeoutMs);
    const frame = await onlyMessage(call, bodyBounds(messageBytesMax), held);
    const message = await payloadOf(frame, call.headers["grpc-encoding"], messageBytesMax, held);
    return { call, frame, message };
  }

  async #stream(call: IncomingCall): Promise<Outcome> {
    const { router, nodes, forwarder, limit, limits, requestBytes, server } = this.#parts;
    call.begin();
    const { draining } = server;
    const parts = { router, nodes, forwarder, limits: new StreamLimits(limits), requestBytes, draining };
    const { end, node } = await limit.during(() => new InferStream(call, this.#config, parts).run());
    call.end(end);
    return node === undefined ? { end } : { end, node };
  }
}

const service = "inference.GRPCInferenceService";
