import type { OutgoingHttpHeaders } from "node:http2";
import { status } from "../../../lib/rpc/status-code.ts";
import type { Call } from "../call/call.ts";
import type { AttemptKind } from "../figures/version-figures.ts";
import { headOf } from "./call-head.ts";
import type { Connections } from "./connections.ts";
import { type Exchanged, exchange } from "./exchange.ts";
import { Race } from "./race.ts";
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

/**
 * Sends an idempotent call to one of several replicas, and again to others: where a node was lost before any of its answer was there,
 * or no longer holds the version, and where it takes longer than it mostly does; then the first answer counts. The budget bounds how
 * often, the deadline and the caller's cancellation cover all attempts. Never rejects; `replicas` is not empty.
 */
export function forwardToReplica(
  replicas: readonly string[],
  request: ReplicaCall,
  options: AttemptOptions,
): Promise<ReplicaAnswer> {
  const { budget, hedgeAfterMs } = options;
  const attempts = new Attempts(replicas, request, options);
  budget.noteCall();
  return hedgeAfterMs === undefined || replicas.length === 1 ? oneByOne(attempts) : raced(attempts, hedgeAfterMs);
}

async function oneByOne(attempts: Attempts): Promise<ReplicaAnswer> {
  let answer = await attempts.begin("first");
  while (!attempts.isFinal(answer) && attempts.mayBegin()) answer = await attempts.begin("retry");
  return answer;
}

/** An attempt that is over. */
interface Ended {
  readonly answer: ReplicaAnswer;
  /** It is looked at now. */
  readonly take: () => void;
}

async function raced(attempts: Attempts, hedgeAfterMs: number): Promise<ReplicaAnswer> {
  const race = new Race();
  /** Until it is looked at here: of several that have ended at once one may be what the caller got. */
  const running = new Set<Promise<Ended>>();
  const begin = (kind: AttemptKind) => {
    const ended: Promise<Ended> = attempts.begin(kind, race).then((answer) => ({
      answer,
      take: () => running.delete(ended),
    }));
    running.add(ended);
  };
  begin("first");
  const timer = new Timer();
  let hedge: Promise<undefined> | undefined = timer.after(hedgeAfterMs);
  try {
    for (;;) {
      const ended = await Promise.race(hedge === undefined ? running : [...running, hedge]);
      if (ended === undefined) {
        hedge = undefined;
        if (!race.isWon && attempts.mayBegin()) begin("hedge");
        continue;
      }
      const { answer } = ended;
      ended.take();
      if (attempts.isFinal(answer)) {
        race.end();
        return answer;
      } else if (running.size === 0) {
        if (!attempts.mayBegin()) return answer;
        begin("retry");
      }
    }
  } finally {
    timer.cancel();
  }
}

/** The attempts of one call. */
class Attempts {
  readonly #request: ReplicaCall;
  readonly #options: AttemptOptions;
  /** Those that have not been asked. */
  #candidates: readonly string[];
  #count = 0;

  constructor(replicas: readonly string[], request: ReplicaCall, options: AttemptOptions) {
    this.#candidates = replicas;
    this.#request = request;
    this.#options = options;
  }

  /** Whether there is nothing more to try for this answer's sake. */
  isFinal(answer: ReplicaAnswer): boolean {
    return answer.isBegun || this.#request.call.over !== undefined || !isLost(answer);
  }

  /** Whether there may be another one; takes it from the budget. */
  mayBegin(): boolean {
    const { attemptsMax, budget } = this.#options;
    const isPossible =
      this.#count < attemptsMax && this.#candidates.length > 0 && this.#request.call.over === undefined;
    return isPossible && budget.take();
  }

  /** Asks one of the replicas that have not been asked. */
  async begin(kind: AttemptKind, race?: Race): Promise<ReplicaAnswer> {
    const { call, message, own, servedBy, choose, onBegin } = this.#request;
    const { nodes, onAttempt } = this.#options;
    const node = choose(this.#candidates);
    this.#count++;
    this.#candidates = this.#candidates.length === 1 ? [] : this.#candidates.filter((address) => address !== node);
    const sentMs = performance.now();
    let begunMs: number | undefined;
    const { end, headers, isBegun } = await exchange(nodes.at(node), call, {
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
    const answer = { end, headers, isBegun, node };
    const isCut = call.over !== undefined || (!isBegun && race?.isWon === true);
    onAttempt({ end, headers, isBegun, node, kind, ms: (begunMs ?? performance.now()) - sentMs, isCut });
    return answer;
  }
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
