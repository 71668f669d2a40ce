import type { NodeRoute } from "./node-routes.ts";
import type { ModelRoute, RouteChange } from "./routes.ts";
import { Wakeup } from "./wakeup.ts";

/** A change of the route table, and its number, which is higher than those of all changes before. */
export interface RouteStep {
  readonly sequence: number;
  readonly change: RouteChange;
}

/** How a follower begins, as of a number: with the whole table, or with what it knows already. */
export type Beginning =
  | {
      readonly kind: "snapshot";
      readonly sequence: number;
      readonly routes: readonly ModelRoute[];
      readonly nodes: readonly NodeRoute[];
    }
  | { readonly kind: "resumed"; readonly sequence: number };

/** The route table, and everyone who follows it. */
export class RouteFeed {
  /** Names the line of numbers. */
  readonly epoch: string;
  readonly #removalsMax: number;
  /** The last step of each model and node, ascending by number; models that are gone among them. */
  readonly #last = new Map<string, RouteStep>();
  readonly #followers = new Set<Follower>();
  #sequence = 0;
  /** The models that are gone, in the order in which they went. */
  readonly #removed = new Set<string>();
  /** What was removed up to this number is forgotten. */
  #forgottenSequence = 0;

  /** At most `removalsMax` models that are gone are remembered. */
  constructor(epoch: string, removalsMax = 10_000) {
    this.epoch = epoch;
    this.#removalsMax = removalsMax;
  }

  /** Replaces a model's route or a node, or removes a model. */
  publish(change: RouteChange): void {
    const key = keyOf(change);
    const step = { sequence: ++this.#sequence, change };
    this.#last.delete(key);
    this.#last.set(key, step);
    this.#removed.delete(key);
    if (change.kind === "removed") this.#removed.add(key);
    if (this.#removed.size > this.#removalsMax) this.#forgetRemoval();
    for (const follower of this.#followers) follower.add(key, step);
  }

  /** Whoever begins from now on need not know a node that no route names; the others are told nothing. */
  forgetNode(address: string): void {
    this.#last.delete(address);
  }

  /**
   * Goes on behind a number of this epoch where that is possible, and begins with the whole table otherwise. Close the follower
   * in the end.
   */
  follow(epoch: string, afterSequence: number): { readonly beginning: Beginning; readonly follower: Follower } {
    const follower = new Follower((closed) => this.#followers.delete(closed));
    this.#followers.add(follower);
    const isKnown = afterSequence >= this.#forgottenSequence && afterSequence <= this.#sequence;
    if (epoch === this.epoch && isKnown) {
      for (const [key, step] of this.#last) if (step.sequence > afterSequence) follower.add(key, step);
      return { beginning: { kind: "resumed", sequence: afterSequence }, follower };
    }
    const last = [...this.#last.values()];
    const routes = last.flatMap(({ change }) => (change.kind === "changed" ? [change.route] : []));
    const nodes = last.flatMap(({ change }) => (change.kind === "node" ? [change.node] : []));
    return { beginning: { kind: "snapshot", sequence: this.#sequence, routes, nodes }, follower };
  }

  #forgetRemoval(): void {
    const [model] = this.#removed;
    this.#forgottenSequence = this.#last.get(model)!.sequence;
    this.#removed.delete(model);
    this.#last.delete(model);
  }
}

/** What a change replaces. An id of a model has no colon, and an address has one. */
function keyOf(change: RouteChange): string {
  if (change.kind === "node") return change.node.address;
  return change.kind === "changed" ? change.route.model : change.model;
}

/** The steps that one follower has not taken yet: the last one of each model and node, so that a slow follower stays bounded. */
export class Follower {
  readonly #onClose: (follower: Follower) => void;
  readonly #wakeup = new Wakeup();
  #pending = new Map<string, RouteStep>();

  constructor(onClose: (follower: Follower) => void) {
    this.#onClose = onClose;
  }

  add(key: string, step: RouteStep): void {
    // Behind all others, so that the numbers grow.
    this.#pending.delete(key);
    this.#pending.set(key, step);
    this.#wakeup.wake();
  }

  /** Waits until there are steps and takes them, ascending by number; throws the signal's reason. */
  async take(signal: AbortSignal): Promise<readonly RouteStep[]> {
    while (this.#pending.size === 0) await this.#wakeup.next(signal);
    const taken = [...this.#pending.values()];
    this.#pending = new Map();
    return taken;
  }

  close(): void {
    this.#onClose(this);
  }
}
