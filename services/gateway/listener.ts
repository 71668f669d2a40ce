import { status } from "@grpc/grpc-js";
import { ServiceError } from "../../lib/errors.ts";
import type { RepositoryIndexRequest__Output as RepositoryIndexRequest } from "../../lib/gen/inference/RepositoryIndexRequest.ts";
import type { Log } from "../../lib/log.ts";
import { decodeMessage } from "../../lib/rpc/protos.ts";
import type { RpcServer } from "../../lib/rpc/server.ts";
import { type CallEnd, ok } from "./call/call-end.ts";
import { endOfStep, logCall } from "./call/call-log.ts";
import { IncomingCall } from "./call/incoming-call.ts";
import { firstMessage, framed, onlyMessage, payloadOf } from "./call/messages.ts";
import type { CallLimit } from "./call-limit.ts";
import type { ReplicaAnswer } from "./forward/attempts.ts";
import { headOf } from "./forward/call-head.ts";
import type { Connections } from "./forward/connections.ts";
import type { Forwarder, RoutedCall } from "./forward/forwarder.ts";
import { servedEnd, servedHeaders, versionHeader } from "./forward/served.ts";
import { drainFault, forwardStream } from "./forward/stream.ts";
import { isSequenced, type ModelRef, type RefLayout, readModelRef, type SequencedRef } from "./model-ref.ts";
import { pick } from "./pick.ts";
import { inferRequest, nameAndVersion, routedMethods } from "./ref-layouts.ts";
import { repositoryIndex } from "./repository-index.ts";
import type { Hedging } from "./route-table.ts";
import type { Routes } from "./routes.ts";
import { knownTable, type Route, readyReplicas, routeOf } from "./routing.ts";
import type { SequenceRouter, SequenceStep } from "./sequence-router.ts";
import { refusals, serverInfo } from "./server-info.ts";

/** What the listener needs. */
export interface ListenerParts {
  readonly server: RpcServer;
  readonly routes: Routes;
  readonly nodes: Connections;
  readonly forwarder: Forwarder;
  readonly limit: CallLimit;
  readonly sequences: SequenceRouter;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** What the listener says and allows. */
export interface ListenerConfig {
  readonly serverName: string;
  readonly serverVersion: string;
  /** The deadline of a call that has none, in milliseconds. */
  readonly defaultTimeoutMs: number;
  /** Largest request, in bytes. */
  readonly messageBytesMax: number;
}

/** A call whose message is there. */
interface MessageCall {
  readonly call: IncomingCall;
  /** With the bytes before it. */
  readonly frame: Buffer;
  readonly message: Buffer;
}

/** What has become of a call, and who answered it. */
interface Outcome {
  readonly end: CallEnd;
  readonly node?: string;
}

/** Answers the Open Inference Protocol: by itself what is about the server, through the nodes all else. */
export class Listener {
  readonly #config: ListenerConfig;
  readonly #parts: ListenerParts;

  constructor(config: ListenerConfig, parts: ListenerParts) {
    this.#config = config;
    this.#parts = parts;
  }

  /** Adds the service to the server. Methods that are not named here answer UNIMPLEMENTED. */
  serve(): void {
    const own: Record<string, (call: MessageCall) => Buffer> = {
      ServerLive: () => serverInfo.live(),
      ServerReady: () => serverInfo.ready(this.#isReady()),
      ServerMetadata: () => serverInfo.metadata(this.#config.serverName, this.#config.serverVersion),
      RepositoryIndex: ({ message }) => this.#index(message),
    };
    for (const [name, message] of Object.entries(refusals)) {
      own[name] = () => {
        throw new ServiceError("UNSUPPORTED", message);
      };
    }
    for (const [name, answer] of Object.entries(own)) {
      this.#serve(name, async (call) => answered(call, answer(await this.#message(call))));
    }
    for (const [name, layout] of Object.entries(routedMethods)) {
      this.#serve(name, async (call) => this.#answer(await this.#message(call), layout));
    }
    this.#serve("ModelReady", async (call) => this.#ready(await this.#message(call)));
    this.#serve("ModelStreamInfer", (call) => this.#stream(call));
    this.#parts.server.describe(service);
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

  /** The path of a request. */
  async #answer(message: MessageCall, layout: RefLayout): Promise<Outcome> {
    const ref = readModelRef(message.message, layout);
    if (isSequenced(ref)) return this.#answerInSequence(message, ref);
    const route = this.#routeOf(ref);
    const hedging = layout === inferRequest ? this.#hedgingOf(route) : undefined;
    return this.#finish(
      message,
      route,
      await this.#forward(message, { route, replicas: readyReplicas(route), hedging }),
    );
  }

  /** The path of one that belongs to a sequence. */
  async #answerInSequence(message: MessageCall, ref: SequencedRef): Promise<Outcome> {
    const { route, nodes, ended } = this.#beginStep(ref);
    const answer = await this.#forward(message, { route, replicas: nodes, choose: ([first]) => first! });
    ended(answer.node, answer.end.code === status.OK);
    return this.#finish(message, route, answer);
  }

  #forward(
    { call, frame: message }: MessageCall,
    way: Pick<RoutedCall, "route" | "replicas" | "hedging"> & Partial<Pick<RoutedCall, "choose">>,
  ) {
    const { forwarder, limit } = this.#parts;
    return limit.during(() => forwarder.forward({ choose: this.#pick, ...way, call, message }));
  }

  #hedgingOf({ model }: Route): Hedging | undefined {
    return this.#parts.routes.table?.models.get(model)?.traffic?.hedging;
  }

  #finish({ call }: MessageCall, route: Route, { end: last, headers, isBegun, node }: ReplicaAnswer): Outcome {
    if (last.code === status.OK && !isBegun) throw new ServiceError("INTERNAL", `the node at ${node} sent no message`);
    const end = servedEnd(last, route, node, call.over !== undefined);
    call.end(end, headers);
    return { end, node };
  }

  #index(request: Buffer): Buffer {
    const table = knownTable(this.#parts.routes.table);
    const type = "inference.RepositoryIndexRequest";
    let wanted: RepositoryIndexRequest;
    try {
      wanted = decodeMessage("inference", type, request);
    } catch (cause) {
      throw new ServiceError("REQUEST_INVALID", `the request is not an ${type}: malformed protobuf`, { cause });
    }
    return serverInfo.index(repositoryIndex(table), wanted.ready);
  }

  /** A version that exists and is nowhere ready, or only on nodes that are lost, is an answer, not an error. */
  async #ready(message: MessageCall): Promise<Outcome> {
    const route = this.#routeOf(readModelRef(message.message, nameAndVersion));
    if (route.replicas.length === 0) return answered(message.call, serverInfo.modelNotReady());
    const answer = await this.#forward(message, { route, replicas: route.replicas });
    const end = servedEnd(answer.end, route, answer.node, message.call.over !== undefined);
    if (end.code !== status.UNAVAILABLE || answer.isBegun) return this.#finish(message, route, answer);
    return answered(message.call, serverInfo.modelNotReady());
  }

  /** The path of a stream: its first message decides where all of it goes. */
  async #stream(call: IncomingCall): Promise<Outcome> {
    const { nodes, limit, server } = this.#parts;
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
    const ref = readModelRef(message, inferRequest);
    const { route, node } = isSequenced(ref) ? this.#firstOf(this.#beginStep(ref)) : this.#pickedFor(ref);
    const { end: last, headers } = await limit.during(() =>
      forwardStream(nodes.at(node), call, {
        head: headOf(call, versionHeader(route)),
        own: servedHeaders(route, node),
        first: [first.frame, first.rest],
        draining: server.draining,
      }),
    );
    const end = servedEnd(last, route, node, call.over !== undefined);
    call.end(end, headers);
    return { end, node };
  }

  #pickedFor(ref: ModelRef) {
    const route = this.#routeOf(ref);
    return { route, node: this.#pick(readyReplicas(route)) };
  }

  #firstOf({ route, nodes: [first] }: SequenceStep) {
    return { route, node: first! };
  }

  #beginStep(ref: SequencedRef): SequenceStep {
    const { routes, nodes, sequences } = this.#parts;
    return sequences.begin(routes.table, ref, (address) => nodes.load(address) < Infinity);
  }

  #pick = (addresses: readonly string[]): string => {
    const { nodes, random } = this.#parts;
    return pick(addresses, (address) => nodes.load(address), random);
  };

  #routeOf(ref: ModelRef): Route {
    return routeOf(this.#parts.routes.table, ref, this.#parts.random());
  }

  #isReady(): boolean {
    return this.#parts.routes.table !== undefined && !this.#parts.server.draining.aborted;
  }
}

/** Answers with a message of the gateway's own. */
function answered(call: IncomingCall, message: Buffer): Outcome {
  call.respond({});
  call.write(framed(message), () => undefined);
  call.end(ok);
  return { end: ok };
}

const service = "inference.GRPCInferenceService";
