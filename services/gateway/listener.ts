import type { Log } from "../../lib/log.ts";
import type { RpcServer } from "../../lib/rpc/server.ts";
import type { Answers, MessageCall, Outcome } from "./answers.ts";
import { ok } from "./call/call-end.ts";
import { endOfStep, logCall } from "./call/call-log.ts";
import { IncomingCall } from "./call/incoming-call.ts";
import { firstMessage, onlyMessage, payloadOf } from "./call/messages.ts";
import type { CallLimit } from "./call-limit.ts";
import { headOf } from "./forward/call-head.ts";
import type { Connections } from "./forward/connections.ts";
import { routeHeaders, servedEnd, servedHeaders } from "./forward/served.ts";
import { drainFault, forwardStream } from "./forward/stream.ts";
import { readModelRef } from "./model-ref.ts";
import { inferRequest } from "./ref-layouts.ts";
import type { Router } from "./router.ts";

/** What the listener needs. */
export interface ListenerParts {
  readonly server: RpcServer;
  readonly answers: Answers;
  readonly router: Router;
  readonly nodes: Connections;
  readonly limit: CallLimit;
  readonly log: Log;
}

/** What the listener allows. */
export interface ListenerConfig {
  /** The deadline of a call that has none, in milliseconds. */
  readonly defaultTimeoutMs: number;
  /** Largest request, in bytes. */
  readonly messageBytesMax: number;
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
    const { answers, server } = this.#parts;
    for (const [name, answer] of answers.methods) {
      this.#serve(name, async (call) => answer(await this.#message(call)));
    }
    this.#serve("ModelStreamInfer", (call) => this.#stream(call));
    server.describe(service);
  }

  /** The life of every call. */
  #serve(name: string, answer: (call: IncomingCall) => Promise<Outcome>): void {
    const { server, log } = this.#parts;
    server.handle(`/${service}/${name}`, async (stream, headers) => {
      const call = new IncomingCall(stream, headers);
      try {
        const { end, node } = await answer(call);
        logCall(log, call, end, true, node);
      } catch (thrown) {
        const end = endOfStep(log, call, thrown);
        call.end(end);
        logCall(log, call, end, true);
      }
    });
  }

  async #message(call: IncomingCall): Promise<MessageCall> {
    const { defaultTimeoutMs, messageBytesMax } = this.#config;
    call.begin(defaultTimeoutMs);
    const frame = await onlyMessage(call, messageBytesMax);
    return { call, frame, message: await payloadOf(frame, call.headers["grpc-encoding"], messageBytesMax) };
  }

  /** The path of a stream: its first message decides where all of it goes. */
  async #stream(call: IncomingCall): Promise<Outcome> {
    const { router, nodes, limit, server } = this.#parts;
    const { messageBytesMax } = this.#config;
    call.begin();
    const first = await firstMessage(call, messageBytesMax, server.draining).catch((thrown) => {
      throw server.draining.aborted ? drainFault() : thrown;
    });
    if (first === undefined) {
      call.end(ok);
      return { end: ok };
    }
    const message = await payloadOf(first.frame, call.headers["grpc-encoding"], messageBytesMax);
    const { route, replicas, choose } = router.way(readModelRef(message, inferRequest), call.headers);
    const node = choose(replicas);
    const { end: last, headers } = await limit.during(() =>
      forwardStream(nodes.at(node), call, {
        head: headOf(call, routeHeaders(route)),
        own: servedHeaders(route, node),
        first: [first.frame, first.rest],
        draining: server.draining,
      }),
    );
    const end = servedEnd(last, route, node, call.over !== undefined);
    call.end(end, headers);
    return { end, node };
  }
}

const service = "inference.GRPCInferenceService";
