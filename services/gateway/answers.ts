import { ServiceError } from "../../lib/errors.ts";
import type { RepositoryIndexRequest__Output as RepositoryIndexRequest } from "../../lib/gen/inference/RepositoryIndexRequest.ts";
import { framed } from "../../lib/rpc/framing.ts";
import { decodeMessage } from "../../lib/rpc/protos.ts";
import { status } from "../../lib/rpc/status-code.ts";
import type { Admission } from "./admission/admission.ts";
import type { Call } from "./call/call.ts";
import { type CallEnd, codeOfThrown, ok } from "./call/call-end.ts";
import type { CallLimit } from "./call-limit.ts";
import type { ModelFigures } from "./figures/version-figures.ts";
import type { ReplicaAnswer } from "./forward/attempts.ts";
import type { Forwarder } from "./forward/forwarder.ts";
import { outcomeOf } from "./forward/outcome.ts";
import { servedEnd } from "./forward/served.ts";
import type { Limits } from "./limits/limits.ts";
import type { Mirrors } from "./mirrors/mirrors.ts";
import type { RefLayout } from "./model-ref.ts";
import { inferRequest, nameAndVersion, routedMethods } from "./ref-layouts.ts";
import { repositoryIndex } from "./repository-index.ts";
import type { Route } from "./routed-model.ts";
import type { Router, Way } from "./router.ts";
import { refusals, serverInfo } from "./server-info.ts";

/** A call whose one message is there. */
export interface MessageCall {
  readonly call: Call;
  /** With the bytes before it. */
  readonly frame: Buffer;
  /** Without compression. */
  readonly message: Buffer;
}

/** What has become of a call, and who answered it. */
export interface Outcome {
  readonly end: CallEnd;
  readonly node?: string;
}

/** What answering needs. */
export interface AnswersParts {
  readonly router: Router;
  readonly forwarder: Forwarder;
  readonly limit: CallLimit;
  readonly limits: Limits;
  readonly mirrors: Mirrors;
  readonly admission: Admission;
  readonly figures: ModelFigures;
  /** Whether the gateway still takes calls. */
  readonly isServing: () => boolean;
}

/** What the gateway says of itself. */
export interface AnswersConfig {
  readonly serverName: string;
  readonly serverVersion: string;
}

/**
 * Answers the methods of the Open Inference Protocol that have one message each way, however the calls came in: by itself what is about
 * the server, through the nodes all else.
 */
export class Answers {
  readonly #parts: AnswersParts;

  /**
   * By the names of the methods; those that are not named here are UNIMPLEMENTED. Each ends the call, or throws what its end is to say.
   */
  readonly methods: ReadonlyMap<string, (call: MessageCall) => Promise<Outcome>>;

  constructor({ serverName, serverVersion }: AnswersConfig, parts: AnswersParts) {
    this.#parts = parts;
    const own: Record<string, (call: MessageCall) => Buffer> = {
      ServerLive: () => serverInfo.live(),
      ServerReady: () => serverInfo.ready(parts.isServing()),
      ServerMetadata: () => serverInfo.metadata(serverName, serverVersion),
      RepositoryIndex: ({ message }) => this.#index(message),
    };
    for (const [name, message] of Object.entries(refusals)) {
      own[name] = () => {
        throw new ServiceError("UNSUPPORTED", message);
      };
    }
    this.methods = new Map([
      ...Object.entries(own).map(
        ([name, answer]) => [name, async (call: MessageCall) => answered(call, answer(call))] as const,
      ),
      ...Object.entries(routedMethods).map(
        ([name, layout]) => [name, (call: MessageCall) => this.#answer(call, layout)] as const,
      ),
      ["ModelReady", (call) => this.#ready(call)],
    ]);
  }

  /** The path of a request. */
  async #answer(message: MessageCall, layout: RefLayout): Promise<Outcome> {
    const { router, figures } = this.#parts;
    const way = router.way(router.refOf(message.message, layout), message.call.headers);
    const isInference = layout === inferRequest;
    try {
      const answer = await this.#forward(message, way, isInference);
      way.ended?.(answer.node, answer.end.code === status.OK);
      const outcome = this.#finish(message, way.route, answer);
      const { code } = outcome.end;
      const isAnswered = isInference && code === status.OK;
      figures.ended(way.route, code, isAnswered ? performance.now() - message.call.arrivedMs : undefined);
      return outcome;
    } catch (thrown) {
      figures.ended(way.route, codeOfThrown(thrown), undefined);
      throw thrown;
    }
  }

  /** A version that exists and is nowhere ready, or only on nodes that are lost, is an answer, not an error. */
  async #ready(message: MessageCall): Promise<Outcome> {
    const { router } = this.#parts;
    const route = router.route(router.refOf(message.message, nameAndVersion), message.call.headers);
    const { replicas } = route;
    if (replicas.length === 0) return answered(message, serverInfo.modelNotReady());
    const choose = (candidates: readonly string[]) => router.choose(route, candidates);
    const answer = await this.#forward(message, { route, replicas, choose }, false);
    const end = servedEnd(answer.end, route, answer.node, message.call.over !== undefined);
    if (end.code !== status.UNAVAILABLE || answer.isBegun) return this.#finish(message, route, answer);
    return answered(message, serverInfo.modelNotReady());
  }

  #forward({ call, frame, message }: MessageCall, { route, replicas, choose, ended }: Way, isInference: boolean) {
    const { router, forwarder, limit, limits, mirrors } = this.#parts;
    const model = router.modelOf(route);
    const traffic = model?.traffic;
    if (traffic?.defaultTimeoutMs) call.presetTimeout(traffic.defaultTimeoutMs);
    // What a sequence has done twice cannot be undone.
    const hedging = isInference && ended === undefined ? traffic?.hedging : undefined;
    const forward = (asked: Call, onBegin?: () => void) =>
      forwarder.forward({ call: asked, message: frame, route, replicas, choose, hedging, onBegin });
    if (!isInference || model === undefined) return limit.during(() => forward(call));
    // So are sequences not copied.
    const copied = (onBegin: () => void) =>
      ended === undefined
        ? mirrors.during({ call, frame, model, route }, (watched) => forward(watched, onBegin))
        : forward(call, onBegin);
    return limit.during(() =>
      this.#admitted(call, route, (onBegin) =>
        limits.during({ headers: call.headers, message, model }, () => copied(onBegin)),
      ),
    );
  }

  /** Forwards where the version's limit allows it, which learns from how long that takes. */
  async #admitted(call: Call, route: Route, forward: (onBegin: () => void) => Promise<ReplicaAnswer>) {
    const leave = this.#parts.admission.admit(route);
    try {
      const answer = await forward(() => leave("answered"));
      leave(outcomeOf({ end: answer.end, isCut: call.over !== undefined }));
      return answer;
    } finally {
      leave("failed");
    }
  }

  #finish({ call }: MessageCall, route: Route, { end: last, headers, isBegun, node }: ReplicaAnswer): Outcome {
    if (last.code === status.OK && !isBegun) throw new ServiceError("INTERNAL", `the node at ${node} sent no message`);
    const end = servedEnd(last, route, node, call.over !== undefined);
    call.end(end, headers);
    return { end, node };
  }

  #index(request: Buffer): Buffer {
    const { table } = this.#parts.router;
    const type = "inference.RepositoryIndexRequest";
    let wanted: RepositoryIndexRequest;
    try {
      wanted = decodeMessage("inference", type, request);
    } catch (cause) {
      throw new ServiceError("REQUEST_INVALID", `the request is not an ${type}: malformed protobuf`, { cause });
    }
    return serverInfo.index(repositoryIndex(table), wanted.ready);
  }
}

/** Answers with a message of the gateway's own. */
function answered({ call }: MessageCall, message: Buffer): Outcome {
  call.respond({});
  call.write(framed(message), () => undefined);
  call.end(ok);
  return { end: ok };
}
