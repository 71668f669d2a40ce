/** Gives each name once. */
export class UniqueNames {
  /** Of each name how many others were made of it. */
  readonly #counts = new Map<string, number>();

  /** The name itself the first time, then with `_1`, `_2`, … after it. */
  of(wanted: string): string {
    let name = wanted;
    while (this.#counts.has(name)) {
      const count = this.#counts.get(wanted) ?? 0;
      this.#counts.set(wanted, count + 1);
      name = `${wanted}_${count + 1}`;
    }
    this.#counts.set(name, 0);
    return name;
  }
}
