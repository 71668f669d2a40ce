import type { Clock } from "../clock.ts";

/** What is needed of a connection. */
export interface Peer {
  /** Asks for a sign of life; answers whether it has. */
  ping(onAnswer: () => void): boolean;
  /** Ends it, for a reason. */
  destroy(failure: string): void;
}

/**
 * Ends connections, and with them their streams, whose peers have vanished without a word: each is asked for a sign of life every 20 s,
 * and has 5 s to give it. One timer goes round over all of them, a few at a time, so that very many that do nothing cost little, and
 * leave nothing behind that lives for long.
 */
export class Keepalive {
  readonly #clock: Clock;
  readonly #rounds: readonly Set<Watched>[] = Array.from({ length: slotCount }, () => new Set<Watched>());
  #count = 0;
  /** Spreads those that come at the same time. */
  #nextSlot = 0;
  #place = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Until the answer is called, once. */
  watch(peer: Peer): () => void {
    const watched = new Watched(peer);
    const slot = this.#rounds[this.#nextSlot++ % slotCount]!;
    slot.add(watched);
    this.#count++;
    this.#cancelTimer ??= this.#awaitTurn();
    return () => {
      slot.delete(watched);
      if (--this.#count > 0) return;
      this.#cancelTimer?.();
      this.#cancelTimer = undefined;
    };
  }

  #awaitTurn(): () => void {
    return this.#clock.after(turnMs, () => {
      this.#cancelTimer = this.#awaitTurn();
      this.#turn();
    });
  }

  #turn(): void {
    this.#place = (this.#place + 1) % slotCount;
    for (const watched of this.#rounds[(this.#place + slotCount - patienceTurns) % slotCount]!) watched.endIfSilent();
    for (const watched of this.#rounds[this.#place]!) watched.ask();
  }
}

const slotCount = 100;
const turnMs = 200;
const patienceTurns = 25;

/** A connection, and whether it owes a sign of life. */
class Watched {
  readonly #peer: Peer;
  #isSilent = false;
  readonly #hear = () => {
    this.#isSilent = false;
  };

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  ask(): void {
    this.#isSilent = this.#peer.ping(this.#hear);
  }

  endIfSilent(): void {
    if (this.#isSilent) this.#peer.destroy("the other side no longer answers");
  }
}
