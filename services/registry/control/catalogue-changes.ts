/** Where the calls that change the catalogue say which model they changed, and the control plane hears it. */
export class CatalogueChanges {
  #listener: (model: string) => void = () => undefined;

  /** Replaces the one listener. */
  listen(listener: (model: string) => void): void {
    this.#listener = listener;
  }

  changed(model: string): void {
    this.#listener(model);
  }
}
