import type { ModelRoute, RouteChange } from "./routes.ts";
import { Wakeup } from "./wakeup.ts";

/** The route table, and everyone who follows it. */
export class RouteFeed {
  readonly #routes = new Map<string, ModelRoute>();
  readonly #followers = new Set<Follower>();

  get(model: string): ModelRoute | undefined {
    return this.#routes.get(model);
  }

  /** Replaces a model's route, or removes it. */
  publish(change: RouteChange): void {
    const model = change.kind === "changed" ? change.route.model : change.model;
    if (change.kind === "changed") this.#routes.set(model, change.route);
    else this.#routes.delete(model);
    for (const follower of this.#followers) follower.add(model, change);
  }

  /** The whole table, and then its changes; close the follower in the end. */
  follow(): { readonly snapshot: readonly ModelRoute[]; readonly follower: Follower } {
    const follower = new Follower((closed) => this.#followers.delete(closed));
    this.#followers.add(follower);
    return { snapshot: [...this.#routes.values()], follower };
  }
}

/** The changes that one follower has not taken yet: the last one of each model, so that a slow follower stays bounded. */
export class Follower {
  readonly #onClose: (follower: Follower) => void;
  readonly #wakeup = new Wakeup();
  #pending = new Map<string, RouteChange>();

  constructor(onClose: (follower: Follower) => void) {
    this.#onClose = onClose;
  }

  add(model: string, change: RouteChange): void {
    this.#pending.set(model, change);
    this.#wakeup.wake();
  }

  /** Waits until there are changes and takes them; throws the signal's reason. */
  async take(signal: AbortSignal): Promise<readonly RouteChange[]> {
    while (this.#pending.size === 0) await this.#wakeup.next(signal);
    const taken = [...this.#pending.values()];
    this.#pending = new Map();
    return taken;
  }

  close(): void {
    this.#onClose(this);
  }
}
