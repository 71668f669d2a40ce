import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { requestIdKey, requestIdOfText } from "../../../lib/rpc/call-context.ts";
import type { RequestBytes } from "../admission/request-bytes.ts";
import { CallOver, endOfThrown } from "../call/call-end.ts";
import type { HeldAnswers } from "../held-answers.ts";
import { faultReply } from "./fault-reply.ts";
import { HttpAnswer } from "./http-answer.ts";
import { checkOrigin } from "./origins.ts";
import { boundPipelines } from "./pipelines.ts";
import { sendFault } from "./reply.ts";
import { otherMethods, type RestRequest, unknownPath } from "./rest-request.ts";

/** How the server listens. */
export interface RestServerConfig {
  /** Host name or IP address to listen on. */
  readonly host: string;
  readonly http: {
    /** TCP port; 0 lets the system choose. */
    readonly port: number;
    /** Connections at the same time; more are closed at once. */
    readonly connectionsMax: number;
    /** The origins whose pages may call. */
    readonly origins: readonly string[];
  };
  /** How long accepted requests may go on after `stop`, in milliseconds. */
  readonly drainTimeoutMs: number;
}

/** The methods that requests may have at all. */
export const httpMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** A path, or a pattern of them, with the methods that are handled there; no other route has the same. */
export interface RestRoute {
  readonly methods: readonly string[];
  /** As Fastify has it. */
  readonly url: string;
  /** Answers; what it throws is answered as a fault. */
  readonly handle: (request: RestRequest) => Promise<void>;
}

/** What the server needs of the gateway. */
export interface RestServerParts {
  readonly requestBytes: RequestBytes;
  readonly answersHeld: HeldAnswers;
  readonly log: Log;
}

/** HTTP/1.1 on a port of its own. */
export class RestServer {
  readonly #config: RestServerConfig;
  readonly #log: Log;
  readonly #app: FastifyInstance<Server>;
  readonly #sockets = new Set<Socket>();
  readonly #answers = new Map<ServerResponse, HttpAnswer>();
  #isDraining = false;

  constructor(config: RestServerConfig, parts: RestServerParts, routes: readonly RestRoute[]) {
    this.#config = config;
    this.#log = parts.log;
    this.#app = fastify<Server>({
      // Without a host is refused as everything else.
      http: {
        requireHostHeader: false,
        headersTimeout: headersMsMax,
        requestTimeout: 0,
        connectionsCheckingInterval: checkMs,
        maxHeaderSize,
      },
      keepAliveTimeout: keepAliveMs,
      genReqId: (request) => requestIdOfText(request.headers[requestIdKey]),
      // Accepted requests are answered, on connections that close afterwards.
      return503OnClosing: false,
      exposeHeadRoutes: false,
      routerOptions: { maxParamLength: 1024 },
      frameworkErrors: (_, request, reply) => void this.#fail(request, reply, unknownPath(request)),
      clientErrorHandler: (failure, socket) => {
        if (socket.writable) socket.end(malformedReply(failure));
      },
    });
    const { server } = this.#app;
    server.maxConnections = config.http.connectionsMax;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      // Every request that is under way listens.
      socket.setMaxListeners(0);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    boundPipelines(server, pipelineMax);
    server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
      const { headers, body } = faultReply(endOfThrown(expectationUnknown(request)));
      const own = {
        connection: "close",
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      };
      response.writeHead(417, { ...headers, ...own }).end(body);
    });
    this.#setUp(routes, parts.requestBytes);
    this.#countAnswers(parts.answersHeld);
  }

  #setUp(routes: readonly RestRoute[], requestBytes: RequestBytes): void {
    const app = this.#app;
    // Bodies are read by whoever answers, who knows their bounds.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _payload, done) => done(null));
    app.addHook("onRequest", async (request, reply) => {
      reply.header(requestIdKey, request.id);
      if (request.headers.host === undefined && request.raw.httpVersion === "1.1") throw hostMissing();
      return checkOrigin(this.#config.http.origins, request, reply) ? reply.send() : undefined;
    });
    app.addHook("onSend", async (_request, reply, body) => {
      if (this.#isDraining) reply.header("connection", "close");
      if (!(body instanceof Buffer)) return body;
      reply.header("content-length", body.length);
      return this.#answers.get(reply.raw)?.bodyOf(body) ?? body;
    });
    app.setErrorHandler((failure, request, reply) => this.#fail(request, reply, failure));
    app.setNotFoundHandler((request, reply) => this.#fail(request, reply, unknownPath(request)));
    for (const { methods, url, handle } of routes) {
      app.route({
        method: [...methods],
        url,
        handler: async (request, reply) => {
          const held = requestBytes.hold();
          try {
            await handle({ request, reply, held });
          } finally {
            held.release();
          }
          return reply;
        },
      });
      const others = httpMethods.filter((method) => !methods.includes(method));
      const refuse = (request: FastifyRequest, reply: FastifyReply) => {
        throw otherMethods({ request, reply }, methods.join(", "));
      };
      if (others.length > 0) app.route({ method: others, url, handler: refuse });
    }
  }

  #countAnswers(held: HeldAnswers): void {
    this.#app.server.prependListener("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
      const answer = new HttpAnswer(response, socket, held.waiting, () => this.#answers.delete(response));
      this.#answers.set(response, answer);
    });
    held.watch((visit) => this.#answers.forEach(visit));
  }

  async #fail(request: FastifyRequest, reply: FastifyReply, failure: unknown): Promise<void> {
    const about = { requestId: request.id, method: `${request.method} ${request.routeOptions.url ?? ""}` };
    const isForeseen = failure instanceof ServiceError && failure.reason !== "INTERNAL";
    if (isForeseen) this.#log.info({ ...about, reason: failure.reason, detail: failure.message }, "request refused");
    // A call has its own line in the log.
    else if (!(failure instanceof CallOver)) this.#log.error({ ...about, error: failure }, "request broke");
    await sendFault(request, reply, endOfThrown(failure));
  }

  /** Listens; answers the port. */
  async start(): Promise<number> {
    const { host, http } = this.#config;
    await this.#app.listen({ host: host.replace(/^\[|\]$/g, ""), port: http.port }).catch((cause: unknown) => {
      throw new Error(`cannot listen on ${host}:${http.port}, AMAAS_GATEWAY_HTTP_PORT: ${messageOf(cause)}`, { cause });
    });
    const address = this.#app.server.address();
    return typeof address === "object" && address !== null ? address.port : http.port;
  }

  /** Finishes accepted requests within the drain time, then closes by force what is left. */
  async stop(): Promise<void> {
    this.#isDraining = true;
    const { server } = this.#app;
    const timer = setTimeout(() => server.closeAllConnections(), this.#config.drainTimeoutMs);
    // Those whose answer had begun before are idle when it is over; those that have said nothing yet are not idle for Node.
    const sweep = setInterval(() => {
      server.closeIdleConnections();
      for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
    }, sweepMs);
    await this.#app.close();
    clearTimeout(timer);
    clearInterval(sweep);
  }
}

/** A caller that sends its headers more slowly than that is not served. */
const headersMsMax = 10_000;
const checkMs = 1000;
const sweepMs = 100;
const keepAliveMs = 60_000;
const maxHeaderSize = 16 * 1024;
/** Requests of one connection that may wait for their answers before no more of it is read; callers who wait for each have one. */
const pipelineMax = 32;

function hostMissing(): ServiceError {
  return new ServiceError("REQUEST_INVALID", "the header host is missing; needed: one, as HTTP/1.1 has it");
}

function expectationUnknown({ headers: { expect } }: IncomingMessage): ServiceError {
  return new ServiceError("REQUEST_INVALID", `expect is ${JSON.stringify(expect)}; needed: 100-continue, or none`);
}

/** What is said to what is no request, as bytes: there is nothing that could answer it. */
function malformedReply({ code, message }: Error & { readonly code?: string }): string {
  const isLong = code === "HPE_HEADER_OVERFLOW";
  const isSlow = code === "ERR_HTTP_REQUEST_TIMEOUT";
  const fault = isLong
    ? new ServiceError("REQUEST_INVALID", `the headers are too long; needed: at most ${maxHeaderSize} bytes`)
    : isSlow
      ? new ServiceError("REQUEST_TIMEOUT", `the headers did not come in time; needed: within ${headersMsMax} ms`)
      : new ServiceError("REQUEST_INVALID", `the request is not HTTP/1.1: ${message}`);
  const { status, body } = faultReply(endOfThrown(fault));
  const said = isLong ? 431 : status;
  const head = [
    `HTTP/1.1 ${said} ${STATUS_CODES[said]}`,
    "connection: close",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
