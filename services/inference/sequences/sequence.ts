import type { Clock } from "../../../lib/clock.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import { deadlinePassed } from "../batching/batcher.ts";
import type { CallLimits } from "../batching/pending-request.ts";
import { bytesOf, hasGone, letGoAll } from "../tensors/held-tensor.ts";
import type { StateMemory } from "./state-memory.ts";

/** A place in a line: a request that waits, or where the sequence ends for those behind it. */
type Place = { readonly kind: "request"; begin(): void } | { readonly kind: "end" };

const end: Place = { kind: "end" };

/** One sequence: what it keeps, and whose turn it is. */
export class Sequence {
  readonly id: string;
  readonly #memory: StateMemory;
  #states: readonly Tensor[] | undefined;
  #rowCount = 0;
  #isTaken = false;
  #isClosed = false;
  readonly #line: Place[] = [];

  constructor(id: string, memory: StateMemory) {
    this.id = id;
    this.#memory = memory;
  }

  /** What the last request has left; undefined where none has, or the sequence has ended. */
  get states(): readonly Tensor[] | undefined {
    return this.#states;
  }

  /** The rows of that request. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** Whether a request has its turn. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Requests that wait for their turn. */
  get waitingCount(): number {
    return this.#line.filter(({ kind }) => kind === "request").length;
  }

  /** Takes the turn if nobody has it; answers whether it did. */
  takeAtOnce(): boolean {
    if (this.#isTaken) return false;
    this.#isTaken = true;
    return true;
  }

  /**
   * Settles when the turn of the caller has come. Rejects when it goes or its deadline passes first: where it `starts` the
   * sequence anew, what was before still ends for those behind it.
   */
  async waitForTurn(starts: boolean, { signal, deadlineMs }: CallLimits, clock: Clock): Promise<void> {
    let stopListening: () => void = () => undefined;
    try {
      await new Promise<void>((begin, reject) => {
        const place: Place = { kind: "request", begin };
        this.#line.push(place);
        const giveUp = (why: unknown) => {
          const index = this.#line.indexOf(place);
          // Its turn has just come.
          if (index < 0) return;
          this.#line.splice(index, 1, ...(starts ? [end] : []));
          reject(why);
        };
        const onAbort = () => giveUp(signal.reason);
        signal.addEventListener("abort", onAbort, { once: true });
        const cancelTimer = clock.after(deadlineMs - clock.now(), () => giveUp(deadlinePassed()));
        stopListening = () => {
          signal.removeEventListener("abort", onAbort);
          cancelTimer();
        };
      });
    } finally {
      stopListening();
    }
  }

  /** Ends the sequence for requests that come from now on. */
  endBehindLine(): void {
    if (!this.#isTaken) this.end();
    else if (this.#line.at(-1)?.kind !== "end") this.#line.push(end);
  }

  /** Gives the turn to the next in the line, if there is one. */
  pass(): void {
    for (let place = this.#line.shift(); place !== undefined; place = this.#line.shift()) {
      if (place.kind === "request") {
        place.begin();
        return;
      }
      this.end();
    }
    this.#isTaken = false;
  }

  /** Keeps what a request with so many rows has left in the place of what was, which is let go; answers whether there is room for it. */
  keep(states: readonly Tensor[], rowCount: number): boolean {
    const before = this.#states ?? [];
    const hasRoom = this.#isClosed || this.#memory.exchange(bytesOf(states), bytesOf(before));
    letGoAll(hasRoom && !this.#isClosed ? before : states);
    if (!hasRoom || this.#isClosed) return hasRoom;
    this.#states = states;
    this.#rowCount = rowCount;
    return true;
  }

  /** Keeps nothing any longer. */
  end(): void {
    this.#memory.exchange(0, bytesOf(this.#states ?? []));
    letGoAll(this.#states ?? []);
    this.#states = undefined;
  }

  /** Keeps nothing any longer where its states were lost with the session that kept them; answers whether they were. */
  endIfLost(): boolean {
    const isLost = hasGone(this.#states ?? []);
    if (isLost) this.end();
    return isLost;
  }

  /** Keeps nothing any longer, and nothing that is still to come. */
  close(): void {
    this.end();
    this.#isClosed = true;
  }
}
