import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { ServiceError } from "../../lib/errors.ts";
import type { RepositoryIndexRequest__Output as RepositoryIndexRequest } from "../../lib/gen/inference/RepositoryIndexRequest.ts";
import type { Log } from "../../lib/log.ts";
import { decodeMessage } from "../../lib/rpc/protos.ts";
import type { RpcServer } from "../../lib/rpc/server.ts";
import type { CallLimit } from "./call-limit.ts";
import { type Answer, answerUnary, type ByteCall } from "./edge/answer-unary.ts";
import { byteMethods } from "./edge/byte-methods.ts";
import { type CallFields, logCall, statusOfThrown } from "./edge/call-log.ts";
import { refusals, serverInfo } from "./edge/server-info.ts";
import { forwardToReplica } from "./forward/attempts.ts";
import { headOf, markServed, servedStatus } from "./forward/served.ts";
import { type ByteStream, drainFault, endWith, firstMessage, forwardStream } from "./forward/stream.ts";
import type { Upstreams } from "./forward/upstreams.ts";
import { isSequenced, type ModelRef, type RefLayout, readModelRef, type SequencedRef } from "./model-ref.ts";
import { pick } from "./pick.ts";
import { inferRequest, nameAndVersion, routedMethods } from "./ref-layouts.ts";
import { repositoryIndex } from "./repository-index.ts";
import type { Routes } from "./routes.ts";
import { knownTable, type Route, readyReplicas, routeOf } from "./routing.ts";
import type { SequenceRouter, SequenceStep } from "./sequence-router.ts";

/** What the listener needs. */
export interface ListenerParts {
  readonly server: RpcServer;
  readonly routes: Routes;
  readonly nodes: Upstreams;
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
    const { server, log } = this.#parts;
    const responses: Record<string, (call: ByteCall) => Promise<Answer> | Answer> = {
      ServerLive: () => serverInfo.live(),
      ServerReady: () => serverInfo.ready(this.#isReady()),
      ServerMetadata: () => serverInfo.metadata(this.#config.serverName, this.#config.serverVersion),
      RepositoryIndex: (call) => this.#index(call),
      ModelReady: (call) => this.#ready(call),
    };
    for (const [name, message] of Object.entries(refusals)) {
      responses[name] = () => {
        throw new ServiceError("UNSUPPORTED", message);
      };
    }
    for (const [name, layout] of Object.entries(routedMethods)) responses[name] = (call) => this.#answer(call, layout);
    const unary = byteMethods(service, "unary", Object.keys(responses));
    const streams = byteMethods(service, "streams", ["ModelStreamInfer"]);
    const calls = Object.entries(responses).map(([name, respond]) => [
      name,
      answerUnary(unary[name]!.path, respond, log),
    ]);
    server.add(
      service,
      { ...unary, ...streams },
      { ...Object.fromEntries(calls), ModelStreamInfer: (call: ByteStream) => this.#stream(call) },
    );
  }

  /** The path of a request. */
  async #answer(call: ByteCall, layout: RefLayout): Promise<Answer> {
    const ref = readModelRef(call.request, layout);
    if (isSequenced(ref)) return this.#answerInSequence(call, ref);
    const route = this.#routeOf(ref);
    const replicas = readyReplicas(route);
    return this.#forward(call, route, replicas);
  }

  /** The path of one that belongs to a sequence. */
  async #answerInSequence(call: ByteCall, ref: SequencedRef): Promise<Answer> {
    const { route, nodes, ended } = this.#beginStep(ref);
    const answer = await this.#forward(call, route, nodes, ([first]) => first!);
    ended(answer.node, answer.status.code === status.OK);
    return answer;
  }

  async #forward(call: ByteCall, route: Route, replicas: readonly string[], choose = this.#pick) {
    const { nodes, limit } = this.#parts;
    const head = headOf(call, route, this.#config.defaultTimeoutMs);
    const outgoing = { head, message: call.request, caller: call, choose };
    const reply = await limit.during(() => forwardToReplica(replicas, nodes, outgoing));
    if (reply.metadata !== undefined) markServed(reply.metadata, route, reply.node);
    return { ...reply, status: servedStatus(reply.status, head, route, reply.node, call.cancelled) };
  }

  #index({ request }: ByteCall): Answer {
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
  async #ready(call: ByteCall): Promise<Answer> {
    const ref = readModelRef(call.request, nameAndVersion);
    const route = this.#routeOf(ref);
    if (route.replicas.length === 0) return serverInfo.modelNotReady();
    const answer = await this.#forward(call, route, route.replicas);
    return answer.status.code === status.UNAVAILABLE ? serverInfo.modelNotReady() : answer;
  }

  async #stream(call: ByteStream): Promise<void> {
    const { server, log } = this.#parts;
    const { requestId, draining } = server.contextOf(call);
    const fields: CallFields = { requestId, method: call.getPath(), begin: performance.now(), quiet: true };
    const ended = await this.#streamed(call, draining).catch((thrown) => statusOfThrown(log, fields, thrown));
    endWith(call, ended);
    logCall(log, fields, ended);
  }

  /** The path of a stream: its first message decides where all of it goes. */
  async #streamed(call: ByteStream, draining: AbortSignal): Promise<StatusObject> {
    const { nodes, limit } = this.#parts;
    const first = await firstMessage(call, draining);
    if (first === undefined) return endWithoutMessage(call, draining);
    const ref = readModelRef(first, inferRequest);
    const { route, node } = isSequenced(ref) ? this.#firstOf(this.#beginStep(ref)) : this.#pickedFor(ref);
    const head = headOf(call, route, Infinity);
    const explain = (ended: StatusObject) => servedStatus(ended, head, route, node, call.cancelled);
    const decorate = (metadata: Metadata) => markServed(metadata, route, node);
    const options = { first, draining, explain, decorate };
    return limit.during(() => forwardStream(call, nodes.at(node), head, options));
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

function endWithoutMessage(call: ByteStream, draining: AbortSignal): StatusObject {
  if (draining.aborted) throw drainFault();
  if (call.cancelled) throw new ServiceError("CANCELLED", "the caller cancelled the call");
  return { code: status.OK, details: "", metadata: new Metadata() };
}

const service = "inference.GRPCInferenceService";
