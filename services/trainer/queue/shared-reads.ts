/**
 * Makes a read once for all who ask for the same at the same moment, such as the watchers of a job whom one change has woken. Who asks later, in another turn
 * of the event loop, gets a read of its own, since something may have changed.
 */
export class SharedReads {
  readonly #begun = new Map<string, Promise<unknown>>();

  /** What `read` answers or rejects with; two of the same key ask for the same. */
  share<Value>(key: string, read: () => Promise<Value>): Promise<Value> {
    const begun = this.#begun.get(key);
    if (begun !== undefined) return begun as Promise<Value>;
    const reading = read();
    this.#begun.set(key, reading);
    // Behind all that is woken now, and before anything that comes in.
    process.nextTick(() => this.#begun.delete(key));
    return reading;
  }
}
