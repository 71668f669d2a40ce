/** Holds answers back until all those before them are there. Faults are not held back, and hold nothing back. */
export class AnswerOrder {
  #last: Promise<void> = Promise.resolve();
  #heldCount = 0;

  /** Answers that are there and wait for others. */
  get heldCount(): number {
    return this.#heldCount;
  }

  /** The answer, once it is its turn. To be called in the order that is to be kept. */
  keep<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const before = this.#last;
    const kept = answer.then(async (value) => {
      this.#heldCount++;
      await before;
      this.#heldCount--;
      return value;
    });
    // Without its values, or each would keep all those before it in memory.
    this.#last = Promise.allSettled([before, kept]).then(() => undefined);
    return kept;
  }
}
