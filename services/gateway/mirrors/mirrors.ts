import type { OutgoingHttpHeaders } from "node:http2";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../../lib/clock.ts";
import type { Stream } from "../../../lib/http2/stream.ts";
import type { Metrics } from "../../../lib/metrics/metrics.ts";
import { timeoutText } from "../../../lib/rpc/timeout.ts";
import type { Call } from "../call/call.ts";
import { ok } from "../call/call-end.ts";
import type { ReplicaAnswer } from "../forward/attempts.ts";
import { headOf } from "../forward/call-head.ts";
import type { Connections } from "../forward/connections.ts";
import { exchange } from "../forward/exchange.ts";
import { routeHeaders } from "../forward/served.ts";
import { Bucket } from "../limits/bucket.ts";
import type { ModelRoute } from "../route-facts.ts";
import type { Route } from "../routed-model.ts";
import { compareOutputs } from "./compare-outputs.ts";
import { type CopyBounds, CopyQueue } from "./copy-queue.ts";
import { KeptAnswer } from "./kept-answer.ts";
import type { CopyEnd, MirrorFigures, MirrorPair } from "./mirror-figures.ts";
import { MirrorReceiver } from "./mirror-receiver.ts";
import { WatchedCall } from "./watched-call.ts";

/** How requests are copied. */
export interface MirrorsConfig extends CopyBounds {
  /** How long a mirror may take to answer, in milliseconds. */
  readonly timeoutMs: number;
  /** How many milliseconds of a second may go into comparisons. */
  readonly compareMsPerSecond: number;
}

/** What copying needs. */
export interface MirrorsParts {
  /** Of mirrors alone: what happens there means nothing for calls. */
  readonly nodes: Connections;
  readonly figures: MirrorFigures;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** A request on its way, and where it may be copied to. */
export interface MirroredRequest {
  readonly call: Call;
  /** The message with the bytes before it. */
  readonly frame: Buffer;
  readonly model: ModelRoute;
  readonly route: Route;
}

/** A copy on its way. */
interface Copy {
  readonly pair: MirrorPair;
  readonly head: OutgoingHttpHeaders;
  readonly frame: Buffer;
  /** Where the mirror is ready. */
  readonly replicas: readonly string[];
  readonly beganMs: number;
  /** What the caller has got. */
  readonly original: KeptAnswer;
  /** Settles with the call: whether that was an answer. */
  readonly isAnswered: Promise<boolean>;
}

/** Tells nodes that nobody waits for the answer. */
const mirrorKey = "amaas-mirror";

/**
 * Copies requests of an alias to its mirrors, and compares what these answer. Callers notice nothing: copies go their own way, after the
 * request, on connections of their own, as long as there is room for them, and end by themselves.
 */
export class Mirrors {
  readonly #config: MirrorsConfig;
  readonly #parts: MirrorsParts;
  readonly #queue: CopyQueue;
  /** Of milliseconds of comparisons. */
  readonly #spent = new Bucket();
  /** The last comparison: one after the other, so that calls get their turns in between. */
  #comparison: Promise<unknown> = Promise.resolve();
  readonly #running = new Set<MirrorReceiver>();
  #isStopped = false;

  constructor(config: MirrorsConfig, parts: MirrorsParts) {
    this.#config = config;
    this.#parts = parts;
    this.#queue = new CopyQueue(config);
  }

  /** Forwards a request, and copies it. Settles as `forward` does, which gets the call to answer. */
  during(request: MirroredRequest, forward: (call: Call) => Promise<ReplicaAnswer>): Promise<ReplicaAnswer> {
    const { call } = request;
    const versions = this.#versionsFor(request);
    if (versions.length === 0) return forward(call);
    const original = new KeptAnswer(this.#queue);
    const head = this.#headOf(call);
    const answered = forward(new WatchedCall(call, original));
    const isAnswered = answered.then(
      ({ end }) => end.code === ok.code,
      () => false,
    );
    // The request itself comes first.
    setImmediate(() => {
      const copies = versions.map((mirror) =>
        this.#copy(this.#copyOf(request, mirror, { head, original, isAnswered })),
      );
      void Promise.all([isAnswered, ...copies]).then(() => original.drop());
    });
    return answered;
  }

  /** Adds its metrics. */
  describe(metrics: Metrics): void {
    this.#parts.figures.describe(metrics);
    metrics.gauge(
      "amaas_gateway_mirror_copies",
      "Copies that wait, or are under way, or wait for the answer itself.",
      () => [{ labels: {}, value: this.#queue.copies }],
    );
    metrics.gauge("amaas_gateway_mirror_bytes", "Bytes of requests and answers that are held for copies.", () => [
      { labels: {}, value: this.#queue.bytes },
    ]);
  }

  /** Ends the copies that are under way; there are no more. */
  stop(): void {
    this.#isStopped = true;
    for (const receiver of this.#running) receiver.giveUp("the gateway is shutting down");
    this.#parts.nodes.close();
  }

  /** The mirrors that get a copy of this request; a copy is not copied again, nor compared with itself. */
  #versionsFor({ call, route: { version, mirrors } }: MirroredRequest): readonly number[] {
    if (mirrors === undefined || this.#isStopped || call.headers[mirrorKey] !== undefined) return none;
    const { random } = this.#parts;
    return mirrors.filter((mirror) => mirror.version !== version && random() < mirror.share).map((one) => one.version);
  }

  #headOf(call: Call): OutgoingHttpHeaders {
    const head = headOf(call, { [mirrorKey]: "1" });
    delete head["grpc-accept-encoding"];
    head["grpc-timeout"] = timeoutText(this.#config.timeoutMs);
    return head;
  }

  #copyOf(
    { frame, model, route }: MirroredRequest,
    mirror: number,
    { head, ...answer }: Pick<Copy, "head" | "original" | "isAnswered">,
  ): Copy {
    const pair = { model: route.model, version: route.version, mirror };
    const replicas = model.versions.get(mirror)?.replicas ?? [];
    const beganMs = this.#parts.clock.monotonicMs();
    return {
      pair,
      head: { ...head, ...routeHeaders({ model: route.model, version: mirror }) },
      frame,
      replicas,
      beganMs,
      ...answer,
    };
  }

  /** The life of a copy. Never rejects. */
  async #copy(copy: Copy): Promise<void> {
    const { figures } = this.#parts;
    const { pair, frame } = copy;
    if (!this.#queue.enter(frame.length)) return figures.noteEnd(pair, "dropped");
    const answer = new KeptAnswer(this.#queue);
    const version = `${pair.model} ${pair.mirror}`;
    const end = await this.#queue.run(version, () => this.#ask(copy, answer));
    figures.noteEnd(pair, end === "answered" ? await this.#compare(copy, answer) : end);
    answer.drop();
    this.#queue.leave(frame.length);
  }

  async #ask({ head, frame, replicas, beganMs }: Copy, answer: KeptAnswer): Promise<CopyEnd | "answered"> {
    const { nodes, clock, random } = this.#parts;
    const { timeoutMs } = this.#config;
    if (this.#isStopped || clock.monotonicMs() - beganMs > timeoutMs) return "dropped";
    if (replicas.length === 0) return "failed";
    const reachable = replicas.filter((address) => nodes.isReachable(address));
    const candidates = reachable.length > 0 ? reachable : replicas;
    const node = candidates[Math.floor(random() * candidates.length)]!;
    const receiver = new MirrorReceiver(answer);
    const cancel = clock.after(timeoutMs, () => receiver.giveUp(`no answer within ${timeoutMs} ms`));
    this.#running.add(receiver);
    const send = (stream: Stream) => stream.writeLast(frame);
    const { end } = await exchange(nodes.at(node), receiver, { head, own: {}, isEager: false, send });
    this.#running.delete(receiver);
    cancel();
    return end.code === ok.code ? "answered" : "failed";
  }

  async #compare({ pair, original, isAnswered }: Copy, answer: KeptAnswer): Promise<CopyEnd> {
    if (!(await isAnswered)) return "alone";
    const comparison = this.#comparison.then(() => nextTurn()).then(() => this.#compareNow(pair, original, answer));
    this.#comparison = comparison;
    return (await comparison) ? "compared" : "uncompared";
  }

  /** Whether there was time, and something to compare. Never rejects. */
  async #compareNow(pair: MirrorPair, original: KeptAnswer, answer: KeptAnswer): Promise<boolean> {
    const { figures, clock } = this.#parts;
    const rate = this.#config.compareMsPerSecond;
    const beginMs = clock.monotonicMs();
    if (rate === 0 || this.#spent.delayMs(1, rate, beginMs) > 0) return false;
    const [one, other] = await Promise.all([original.outputs(), answer.outputs()]);
    const isPossible = one !== undefined && other !== undefined;
    if (isPossible) figures.noteOutputs(pair, compareOutputs(one, other, elementsMax));
    const endMs = clock.monotonicMs();
    this.#spent.take(endMs - beginMs, rate, endMs);
    return isPossible;
  }
}

/** Elements of an answer that are compared: a fraction of a millisecond. */
const elementsMax = 16_384;

const none: readonly number[] = [];
