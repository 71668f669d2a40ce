import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { ServiceError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { RpcServer } from "../../lib/rpc/server.ts";
import type { CallLimit } from "./call-limit.ts";
import { type Answer, answerUnary, type ByteCall } from "./edge/answer-unary.ts";
import { byteMethods } from "./edge/byte-methods.ts";
import { type CallFields, logCall, statusOfThrown } from "./edge/call-log.ts";
import { serverInfo } from "./edge/server-info.ts";
import { forwardToReplica } from "./forward/attempts.ts";
import { headOf, markServed, servedStatus } from "./forward/served.ts";
import { type ByteStream, drainFault, endWith, firstMessage, forwardStream } from "./forward/stream.ts";
import type { Upstreams } from "./forward/upstreams.ts";
import { type ModelRef, type RefLayout, readModelRef } from "./model-ref.ts";
import { pick } from "./pick.ts";
import { inferRequest, nameAndVersion, routedMethods } from "./ref-layouts.ts";
import type { Routes } from "./routes.ts";
import { type Route, readyReplicas, routeOf } from "./routing.ts";

/** What the listener needs. */
export interface ListenerParts {
  readonly server: RpcServer;
  readonly routes: Routes;
  readonly nodes: Upstreams;
  readonly limit: CallLimit;
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
      ModelReady: (call) => this.#ready(call),
    };
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
    const route = this.#routeOf(ref);
    const replicas = readyReplicas(route);
    return this.#forward(call, route, replicas);
  }

  async #forward(call: ByteCall, route: Route, replicas: readonly string[]): Promise<Answer> {
    const { nodes, random, limit } = this.#parts;
    const head = headOf(call, route, this.#config.defaultTimeoutMs);
    const outgoing = { head, message: call.request, caller: call };
    const reply = await limit.during(() => forwardToReplica(replicas, nodes, random, outgoing));
    if (reply.metadata !== undefined) markServed(reply.metadata, route, reply.node);
    return { ...reply, status: servedStatus(reply.status, head, route, reply.node, call.cancelled) };
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
    const { nodes, random, limit } = this.#parts;
    const first = await firstMessage(call, draining);
    if (first === undefined) return endWithoutMessage(call, draining);
    const ref = readModelRef(first, inferRequest);
    const route = this.#routeOf(ref);
    const node = pick(readyReplicas(route), (address) => nodes.load(address), random);
    const head = headOf(call, route, Infinity);
    const explain = (ended: StatusObject) => servedStatus(ended, head, route, node, call.cancelled);
    const decorate = (metadata: Metadata) => markServed(metadata, route, node);
    const options = { first, draining, explain, decorate };
    return limit.during(() => forwardStream(call, nodes.at(node), head, options));
  }

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
