/** Where an answer stands in the order. */
export interface AnswerPlace {
  /** Gives the answer; undefined until it is there. */
  give: (() => void) | undefined;
}

/** Holds answers back until all those before them are there. Whoever has left the order holds nothing back. */
export class AnswerOrder {
  /** In the order of their requests. */
  readonly #places = new Set<AnswerPlace>();
  #heldCount = 0;

  /** Answers that are there and wait for others. */
  get heldCount(): number {
    return this.#heldCount;
  }

  /** A place behind all others. */
  enter(): AnswerPlace {
    const place = { give: undefined };
    this.#places.add(place);
    return place;
  }

  /** The answer of a place is there: it is given when its turn comes, which may be now. */
  answer(place: AnswerPlace, give: () => void): void {
    place.give = give;
    this.#heldCount++;
    this.#giveFirst();
  }

  /** The place needs no turn: its request has failed, or nobody waits for it. Does nothing where it has had its turn. */
  leave(place: AnswerPlace): void {
    if (!this.#places.delete(place)) return;
    if (place.give !== undefined) this.#heldCount--;
    this.#giveFirst();
  }

  #giveFirst(): void {
    for (const place of this.#places) {
      if (place.give === undefined) return;
      this.#places.delete(place);
      this.#heldCount--;
      place.give();
    }
  }
}
