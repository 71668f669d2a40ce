/** Holds answers back until all those before them are there. Faults are not held back, and hold nothing back. */
export class AnswerOrder {
  #last: Promise<unknown> = Promise.resolve();

  /** The answer, once it is its turn. To be called in the order that is to be kept. */
  keep<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const before = this.#last;
    const kept = answer.then(async (value) => {
      await before;
      return value;
    });
    this.#last = Promise.allSettled([before, kept]);
    return kept;
  }
}
