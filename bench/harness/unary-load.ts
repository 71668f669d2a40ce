import { Caller, type Calls } from "./caller.ts";
import { quantile } from "./figures.ts";

/** Calls of one method, over and over. */
export interface UnaryLoad extends Calls {
  readonly connections: number;
  readonly inFlightPerConnection: number;
  readonly durationMs: number;
}

/** Calls of one method at times that do not depend on the answers. */
export interface PacedLoad extends Calls {
  readonly connections: number;
  readonly perSecond: number;
  readonly durationMs: number;
  /** It is given up where so much of it waits for answers. */
  readonly behindMsMax?: number;
}

/** How many calls were answered, in which time, and how long each took. */
export interface UnaryRate {
  readonly calls: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What calls at a fixed rate have seen. */
export interface PacedRate extends UnaryRate {
  readonly refused: number;
  /** How late this process was with sending: the part of the latencies that is none of the server's. */
  readonly sentLateP99Ms: number;
  /** How far the server fell behind where the load was given up; then the calls that waited count with how long they had. */
  readonly behind?: string;
}

/** Turns of a load, as fast as the server answers and then at half of that rate. */
export interface HalfLoad extends UnaryLoad {
  /** `durationMs` is that of the calls at half of the rate in all turns. */
  readonly turnMs: number;
}

/** What calls at half of the rate have seen that the server takes at most. */
export interface HalfRate extends PacedRate {
  /** Of those turns, the mean. */
  readonly perSecond: number;
}

/**
 * Calls at half of the rate that the server takes at most, in short turns after it was measured: a machine that becomes slower or faster would make
 * another share of it. Latencies are those of all turns.
 */
export async function half({ turnMs, ...load }: HalfLoad): Promise<HalfRate> {
  const turns = Math.max(1, Math.round(load.durationMs / turnMs));
  const seen: Paced[] = [];
  const rates: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const most = await rate({ ...load, durationMs: turnMs });
    const perSecond = most.calls / most.seconds / 2;
    rates.push(perSecond);
    seen.push(await pacedCalls({ ...load, durationMs: turnMs, perSecond }));
  }
  return { ...pacedRate(seen), perSecond: rates.reduce((sum, rate) => sum + rate, 0) / turns };
}

/** Calls as fast as the server answers. Throws if a call fails. */
export async function rate(load: UnaryLoad): Promise<UnaryRate> {
  const calling = new Calling(load);
  try {
    const beginMs = await calling.ready();
    const endMs = beginMs + load.durationMs;
    calling.onAnswers = (caller, count) => {
      const nowMs = performance.now();
      if (nowMs < endMs) caller.send(Array<number>(count).fill(nowMs));
    };
    calling.onRefusal = () => calling.fail(new Error("a call was refused"));
    for (const caller of calling.callers) caller.send(Array<number>(load.inFlightPerConnection).fill(beginMs));
    await calling.ended(() => performance.now() >= endMs);
    return unaryRate([calling.seen]);
  } finally {
    calling.close();
  }
}

/**
 * Calls at a fixed rate, whether or not earlier calls were answered; tells too how many were refused. Latencies count from when a
 * call was due: what the server keeps waiting, and what this process is late with, is part of them. Ends early where the server
 * falls far behind.
 */
export async function paced(load: PacedLoad): Promise<PacedRate> {
  return pacedRate([await pacedCalls(load)]);
}

async function pacedCalls(load: PacedLoad): Promise<Paced> {
  const calling = new Calling(load);
  const intervalMs = 1000 / load.perSecond;
  const total = Math.floor(load.durationMs / intervalMs);
  const inFlightMax = (load.perSecond * (load.behindMsMax ?? behindMsMax)) / 1000 + load.connections;
  /** For each connection; what is due at once is written at once. */
  const due = calling.callers.map((): number[] => []);
  let sent = 0;
  let refused = 0;
  const sentLateMs: number[] = [];
  calling.onRefusal = () => refused++;
  let timer: NodeJS.Timeout | undefined;
  try {
    const beginMs = await calling.ready();
    const sendDue = () => {
      for (; sent < total; sent++) {
        const dueMs = beginMs + sent * intervalMs;
        const lateMs = performance.now() - dueMs;
        if (lateMs < 0) break;
        sentLateMs.push(lateMs);
        due[sent % due.length]!.push(dueMs);
      }
      for (const [place, dueMs] of due.entries()) if (dueMs.length > 0) calling.callers[place]!.send(dueMs.splice(0));
      if (calling.inFlight > inFlightMax) calling.giveUp();
    };
    // As often as timers can.
    timer = setInterval(sendDue, 1);
    await calling.ended(() => sent === total);
    const { inFlight } = calling;
    const behind = `${inFlight} calls waited for answers at ${Math.round(load.perSecond)} calls per second`;
    return { ...calling.seen, refused, sentLateMs, behind: inFlight > 0 ? behind : undefined };
  } finally {
    clearInterval(timer);
    calling.close();
  }
}

/** What became of the calls of a load. */
interface Seen {
  readonly calls: number;
  readonly seconds: number;
  /** Of those too that still waited when the load was given up. */
  readonly latenciesMs: readonly number[];
}

interface Paced extends Seen {
  readonly refused: number;
  readonly sentLateMs: readonly number[];
  readonly behind: string | undefined;
}

function unaryRate(seen: readonly Seen[]): UnaryRate {
  const latenciesMs = seen.flatMap((each) => each.latenciesMs);
  return {
    calls: seen.reduce((sum, { calls }) => sum + calls, 0),
    seconds: seen.reduce((sum, { seconds }) => sum + seconds, 0),
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
  };
}

function pacedRate(seen: readonly Paced[]): PacedRate {
  const behind = seen.find((each) => each.behind !== undefined)?.behind;
  return {
    ...unaryRate(seen),
    refused: seen.reduce((sum, { refused }) => sum + refused, 0),
    sentLateP99Ms: quantile(
      seen.flatMap(({ sentLateMs }) => sentLateMs),
      0.99,
    ),
    ...(behind !== undefined && { behind }),
  };
}

/** Beyond this an open load measures nothing but its own length. */
const behindMsMax = 2000;

/** Connections, and what became of the calls on them. */
class Calling {
  readonly callers: readonly Caller[];
  onAnswers: (caller: Caller, count: number) => void = () => undefined;
  onRefusal: () => void = () => undefined;
  /** Ends `ready` and `ended`. */
  fail!: (failure: Error) => void;
  readonly #failed: Promise<never>;
  readonly #latenciesMs: number[] = [];
  #beginMs = 0;
  #onEnd: () => void = () => undefined;
  #isGivenUp = false;

  constructor(load: Calls & { readonly connections: number }) {
    this.#failed = new Promise((_, reject) => {
      this.fail = reject;
    });
    this.callers = Array.from({ length: load.connections }, (_, place) => this.#caller(load, place));
  }

  get inFlight(): number {
    return this.callers.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  /** Settles once all are connected, with the time, on the clock of `performance`. */
  async ready(): Promise<number> {
    await Promise.race([Promise.all(this.callers.map((caller) => caller.ready())), this.#failed]);
    this.#beginMs = performance.now();
    return this.#beginMs;
  }

  /** Ends `ended` though calls wait for answers. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#onEnd();
  }

  /** Settles once no more calls come and all have ended, or are given up. */
  async ended(isOver: () => boolean): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#onEnd = () => {
        if (this.#isGivenUp || (this.inFlight === 0 && isOver())) resolve();
      };
    });
    await Promise.race([ended, this.#failed]);
  }

  get seen(): Seen {
    const nowMs = performance.now();
    const waitingMs = this.callers.flatMap(({ dueMs }) => dueMs).map((due) => nowMs - due);
    const latenciesMs = [...this.#latenciesMs, ...waitingMs];
    return { calls: this.#latenciesMs.length, seconds: (nowMs - this.#beginMs) / 1000, latenciesMs };
  }

  close(): void {
    for (const caller of this.callers) caller.close();
  }

  #caller(calls: Calls, place: number): Caller {
    const caller: Caller = new Caller(calls, place, {
      onAnswers: (latenciesMs) => {
        for (const latencyMs of latenciesMs) this.#latenciesMs.push(latencyMs);
        this.onAnswers(caller, latenciesMs.length);
        this.#onEnd();
      },
      onRefusal: () => {
        this.onRefusal();
        this.#onEnd();
      },
      onFailure: (failure) => this.fail(failure),
    });
    return caller;
  }
}
