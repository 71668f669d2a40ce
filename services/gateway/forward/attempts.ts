import type { OutgoingHttpHeaders } from "node:http2";
import { status } from "@grpc/grpc-js";
import type { Call } from "../call/call.ts";
import type { AttemptKind } from "../figures/version-figures.ts";
import { headOf } from "./call-head.ts";
import type { Connections } from "./connections.ts";
import { type Exchanged, exchange, Race } from "./exchange.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** How a call that several replicas could answer ended, and where. */
export interface ReplicaAnswer extends Exchanged {
  /** The address of the node whose end it is. */
  readonly node: string;
}

/** One attempt, as it ended. */
export interface Attempt extends ReplicaAnswer {
  readonly kind: AttemptKind;
  /** How long the answer took to begin, or how long there was none, in milliseconds. */
  readonly ms: number;
  /** Whether nobody waited for it any longer. */
  readonly isCut: boolean;
}

/** A call that several replicas could answer. */
export interface ReplicaCall {
  readonly call: Call;
  /** With the bytes before it. */
  readonly message: Buffer;
  /** What the node gets besides the caller's headers. */
  readonly own: OutgoingHttpHeaders;
  /** What the caller sees besides the node's headers. */
  readonly servedBy: (node: string) => OutgoingHttpHeaders;
  /** Chooses one of the replicas that have not been asked yet. */
  readonly choose: (addresses: readonly string[]) => string;
  /** The caller is about to see the first of an answer. */
  readonly onBegin?: (() => void) | undefined;
}

/** How a call is tried. */
export interface AttemptOptions {
  readonly nodes: Connections;
  /** Replicas that are asked at most. */
  readonly attemptsMax: number;
  readonly budget: RetryBudget;
  /** After how long without an answer another replica is asked too, in milliseconds; undefined for never. */
  readonly hedgeAfterMs: number | undefined;
  /** Hears how each attempt ended. */
  readonly onAttempt: (attempt: Attempt) => void;
}

/** An attempt that is over. */
interface Ended {
  readonly answer: ReplicaAnswer;
  /** It is looked at now. */
  readonly take: () => void;
}

/**
 * Sends an idempotent call to one of several replicas, and again to others: where a node was lost before any of its answer was there,
 * or no longer holds the version, and where it takes longer than it mostly does; then the first answer counts. The budget bounds how
 * often, the deadline and the caller's cancellation cover all attempts. Never rejects; `replicas` is not empty.
 */
export async function forwardToReplica(
  replicas: readonly string[],
  request: ReplicaCall,
  options: AttemptOptions,
): Promise<ReplicaAnswer> {
  const { attemptsMax, budget, hedgeAfterMs } = options;
  const { call } = request;
  const race = new Race();
  /** Until it is looked at here: of several that have ended at once one may be what the caller got. */
  const running = new Set<Promise<Ended>>();
  let candidates = replicas;
  let attempts = 0;
  const begin = (kind: AttemptKind) => {
    const node = request.choose(candidates);
    candidates = candidates.filter((address) => address !== node);
    attempts++;
    const ended: Promise<Ended> = attempt({ node, kind }, request, race, options).then((answer) => ({
      answer,
      take: () => running.delete(ended),
    }));
    running.add(ended);
  };
  const mayBegin = () => attempts < attemptsMax && candidates.length > 0 && call.over === undefined && budget.take();
  budget.noteCall();
  begin("first");
  const timer = new Timer();
  let hedge = hedgeAfterMs === undefined || candidates.length === 0 ? undefined : timer.after(hedgeAfterMs);
  try {
    for (;;) {
      const waits: readonly Promise<Ended | undefined>[] = hedge === undefined ? [...running] : [...running, hedge];
      const ended = await (waits.length === 1 ? waits[0]! : Promise.race(waits));
      if (ended === undefined) {
        hedge = undefined;
        if (!race.isWon && mayBegin()) begin("hedge");
        continue;
      }
      const { answer } = ended;
      ended.take();
      if (answer.isBegun || call.over !== undefined || !isLost(answer)) {
        race.end();
        return answer;
      } else if (running.size === 0) {
        if (!mayBegin()) return answer;
        begin("retry");
      }
    }
  } finally {
    timer.cancel();
  }
}

async function attempt(
  { node, kind }: Pick<Attempt, "node" | "kind">,
  { call, message, own, servedBy, onBegin }: ReplicaCall,
  race: Race,
  { nodes, onAttempt }: AttemptOptions,
): Promise<ReplicaAnswer> {
  const sentMs = performance.now();
  let begunMs: number | undefined;
  const exchanged = await exchange(nodes.at(node), call, {
    head: headOf(call, own),
    send: (stream) => stream.writeLast(message),
    own: servedBy(node),
    isEager: false,
    race,
    onBegin: () => {
      begunMs = performance.now();
      onBegin?.();
    },
  });
  const answer = { ...exchanged, node };
  const isCut = call.over !== undefined || (race.isWon && !exchanged.isBegun);
  onAttempt({ ...answer, kind, ms: (begunMs ?? performance.now()) - sentMs, isCut });
  return answer;
}

/** A time that may be given up. */
class Timer {
  #timer: NodeJS.Timeout | undefined;

  after(ms: number): Promise<undefined> {
    return new Promise((resolve) => {
      this.#timer = setTimeout(() => resolve(undefined), ms);
    });
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}

/** Whether the node, or the way to it, or the version on it, is gone. CANCELLED is what a dying grpc-js says. */
function isLost({ end: { code } }: Exchanged): boolean {
  return code === status.UNAVAILABLE || code === status.CANCELLED || code === status.NOT_FOUND;
}
