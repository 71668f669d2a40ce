/** Lets models take turns: whoever had one longest ago, or never, is next. Knows of no more models than wait. */
export class ModelTurns {
  /** The one that had its turn longest ago comes first. */
  #had: readonly string[] = [];

  /** The models that wait in the order of their turns. */
  inOrder(waiting: readonly string[]): readonly string[] {
    const place = new Map(this.#had.map((model, index) => [model, index + 1]));
    // Sorting is stable.
    return waiting.toSorted((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0));
  }

  /** One of those that wait has had its turn. */
  took(model: string, waiting: readonly string[]): void {
    const known = new Set(waiting);
    this.#had = [...this.#had.filter((one) => one !== model && known.has(one)), model];
  }
}
