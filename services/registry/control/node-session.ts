import type { Assigned } from "./model-plan.ts";
import type { NodeState } from "./node-state.ts";
import { Wakeup } from "./wakeup.ts";

/** A connected node: what it says, and what it is told. */
export class NodeSession {
  state: NodeState;
  /** Cancels the time-out that the last report began. */
  cancelTimeout: () => void = () => undefined;
  readonly #wakeup = new Wakeup();
  readonly #ended = new AbortController();
  #assignment: readonly Assigned[] | undefined;

  constructor(state: NodeState) {
    this.state = state;
  }

  /** Aborted with the reason once the session has ended. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** What the node should hold; undefined before it was first told. */
  get assignment(): readonly Assigned[] | undefined {
    return this.#assignment;
  }

  /** Tells the node what to hold; the same array again sends nothing. */
  assign(assignment: readonly Assigned[]): void {
    if (assignment === this.#assignment) return;
    this.#assignment = assignment;
    this.#wakeup.wake();
  }

  /** Waits for the next assignment; throws the signal's reason once it aborts. */
  async nextAssignment(signal: AbortSignal): Promise<readonly Assigned[]> {
    await this.#wakeup.next(signal);
    return this.#assignment!;
  }

  end(reason: unknown): void {
    this.#ended.abort(reason);
  }
}
