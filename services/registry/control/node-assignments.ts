import type { Assigned } from "./model-plan.ts";

type ByNode = ReadonlyMap<string, readonly Assigned[]>;

const nowhere: ByNode = new Map();
const nothing: readonly Assigned[] = [];

/** What each node should hold, of all models. */
export class NodeAssignments {
  readonly #byNode = new Map<string, Map<string, readonly Assigned[]>>();
  readonly #whole = new Map<string, readonly Assigned[]>();

  /** Replaces what nodes should hold of a model. */
  replace(model: string, before: ByNode = nowhere, after: ByNode = nowhere): void {
    for (const node of before.keys()) if (!after.has(node)) this.#set(node, model, undefined);
    for (const [node, assigned] of after) {
      if (!isSame(before.get(node), assigned)) this.#set(node, model, assigned);
    }
  }

  /** In the order of loading: by priority, then by model. The same array for as long as it says the same. */
  of(node: string): readonly Assigned[] {
    const byModel = this.#byNode.get(node);
    if (byModel === undefined) return nothing;
    let whole = this.#whole.get(node);
    if (whole === undefined) {
      const models = [...byModel].sort(([a], [b]) => (a < b ? -1 : 1));
      whole = models.flatMap(([, assigned]) => assigned).sort((a, b) => a.priority - b.priority);
      this.#whole.set(node, whole);
    }
    return whole;
  }

  #set(node: string, model: string, assigned: readonly Assigned[] | undefined): void {
    this.#whole.delete(node);
    const models = this.#byNode.get(node) ?? new Map<string, readonly Assigned[]>();
    if (assigned === undefined) models.delete(model);
    else models.set(model, assigned);
    if (models.size === 0) this.#byNode.delete(node);
    else this.#byNode.set(node, models);
  }
}

function isSame(a: readonly Assigned[] | undefined, b: readonly Assigned[]): boolean {
  return a?.length === b.length && a.every((assigned, index) => isSameAssigned(assigned, b[index]));
}

function isSameAssigned(a: Assigned, b: Assigned): boolean {
  return (
    a.version === b.version &&
    a.priority === b.priority &&
    a.fit.variant.id === b.fit.variant.id &&
    a.fit.variant.digest === b.fit.variant.digest &&
    isSameList(a.fit.executionProviders, b.fit.executionProviders) &&
    isSameList(a.aliases, b.aliases) &&
    a.settings === b.settings
  );
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}
