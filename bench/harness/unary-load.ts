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
}

/** How many calls were answered, in which time, and how long each took. */
export interface UnaryRate {
  readonly calls: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
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
    return calling.figures();
  } finally {
    calling.close();
  }
}

/**
 * Calls at a fixed rate, whether or not earlier calls were answered; tells too how many were refused. Latencies count from when a
 * call was due: what the server keeps waiting, and what this process is late with, is part of them. Throws where the server falls
 * far behind.
 */
export async function paced(load: PacedLoad): Promise<UnaryRate & { readonly refused: number }> {
  const calling = new Calling(load);
  const intervalMs = 1000 / load.perSecond;
  const total = Math.floor(load.durationMs / intervalMs);
  let sent = 0;
  let refused = 0;
  calling.onRefusal = () => refused++;
  let timer: NodeJS.Timeout | undefined;
  try {
    const beginMs = await calling.ready();
    const sendDue = () => {
      for (; sent < total && beginMs + sent * intervalMs <= performance.now(); sent++)
        calling.callers[sent % calling.callers.length]!.send([beginMs + sent * intervalMs]);
      if (calling.inFlight > load.perSecond * behindSecondsMax + load.connections)
        calling.fail(new Error(`${calling.inFlight} calls wait for answers at ${load.perSecond} calls per second`));
    };
    // As often as timers can.
    timer = setInterval(sendDue, 1);
    await calling.ended(() => sent === total);
    return { ...calling.figures(), refused };
  } finally {
    clearInterval(timer);
    calling.close();
  }
}

/** Beyond this an open load measures nothing but its own length. */
const behindSecondsMax = 2;

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

  /** Settles once no more calls come and all have ended. */
  async ended(isOver: () => boolean): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#onEnd = () => {
        if (this.inFlight === 0 && isOver()) resolve();
      };
    });
    await Promise.race([ended, this.#failed]);
  }

  figures(): UnaryRate {
    const latenciesMs = this.#latenciesMs;
    return {
      calls: latenciesMs.length,
      seconds: (performance.now() - this.#beginMs) / 1000,
      p50Ms: quantile(latenciesMs, 0.5),
      p99Ms: quantile(latenciesMs, 0.99),
    };
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
