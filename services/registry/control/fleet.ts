import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { HearingTime } from "./hearing-time.ts";
import { NodeSession } from "./node-session.ts";
import type { NodeState } from "./node-state.ts";

/** Hears that a node's state has become another one; undefined stands for a node that is not there. */
export type NodeListener = (before: NodeState | undefined, after: NodeState | undefined) => void;

/** All nodes that report: those that are connected here, and those that other registries on the same database know. */
export class Fleet {
  readonly #heartbeatMs: number;
  readonly #hearing: HearingTime;
  readonly #onChange: NodeListener;
  readonly #sessions = new Map<string, NodeSession>();
  #others: ReadonlyMap<string, NodeState> = new Map();

  constructor(heartbeatMs: number, clock: Clock, onChange: NodeListener) {
    this.#heartbeatMs = heartbeatMs;
    this.#hearing = new HearingTime(clock, heartbeatMs);
    this.#onChange = onChange;
  }

  /** Of the nodes that are connected here, by their ids. */
  get sessions(): ReadonlyMap<string, NodeSession> {
    return this.#sessions;
  }

  /** In the order of their names. */
  get nodes(): readonly NodeState[] {
    const ids = new Set([...this.#sessions.keys(), ...this.#others.keys()]);
    return [...ids].sort().map((id) => this.#state(id)!);
  }

  /**
   * Waits for the first report of a stream, as long as for any other one: DEADLINE_EXCEEDED afterwards. Throws the signal's reason
   * once it aborts.
   */
  async firstReport<Report>(report: Promise<Report>, over: AbortSignal): Promise<Report> {
    const late = new AbortController();
    const cancelTimeout = this.#afterSilence(() => late.abort(unreported(this.#heartbeatMs)));
    try {
      return await Promise.race([report, rejection(AbortSignal.any([over, late.signal]))]);
    } finally {
      cancelTimeout();
    }
  }

  /** A node's first report; its session replaces an older one of the same name. */
  join(state: NodeState): NodeSession {
    const { id } = state;
    const older = this.#sessions.get(id);
    older?.cancelTimeout();
    older?.end(lost(`another node named ${id} has connected`));
    const session = new NodeSession(state);
    this.#expectReport(session);
    this.#change(id, () => this.#sessions.set(id, session));
    return session;
  }

  /** A further report, under the same name; a session that has ended says nothing more. */
  report(session: NodeSession, state: NodeState): void {
    if (!this.#isMember(session)) return;
    this.#expectReport(session);
    this.#change(state.id, () => {
      session.state = state;
    });
  }

  /**
   * The node's stream has ended. Where this process has just stood still, the node may have taken it for dead: it counts as silent from
   * now on, which leaves it the time to connect again.
   */
  leave(session: NodeSession): void {
    if (!this.#hearing.hasResumedWithin(heartbeatsMissedMax * this.#heartbeatMs)) this.#remove(session);
    else if (this.#isMember(session)) this.#expectReport(session);
  }

  /** The node has connected to another registry. */
  giveUp(session: NodeSession): void {
    this.#remove(session);
    session.end(lost("the node has connected to another registry"));
  }

  /** Replaces the nodes of other registries; a node that is connected here is not theirs. */
  setOthers(others: ReadonlyMap<string, NodeState>): void {
    const ids = new Set([...this.#others.keys(), ...others.keys()]);
    const before = new Map([...ids].map((id) => [id, this.#state(id)]));
    this.#others = others;
    for (const id of ids) this.#changed(before.get(id), this.#state(id));
  }

  #state(id: string): NodeState | undefined {
    return this.#sessions.get(id)?.state ?? this.#others.get(id);
  }

  #change(id: string, act: () => void): void {
    const before = this.#state(id);
    act();
    this.#changed(before, this.#state(id));
  }

  #changed(before: NodeState | undefined, after: NodeState | undefined): void {
    if (before !== after) this.#onChange(before, after);
  }

  #isMember(session: NodeSession): boolean {
    return this.#sessions.get(session.state.id) === session;
  }

  #remove(session: NodeSession): void {
    session.cancelTimeout();
    const { id } = session.state;
    if (this.#isMember(session)) this.#change(id, () => this.#sessions.delete(id));
  }

  #expectReport(session: NodeSession): void {
    session.cancelTimeout();
    session.cancelTimeout = this.#afterSilence(() => {
      this.#remove(session);
      session.end(lost(`no report for ${heartbeatsMissedMax * this.#heartbeatMs} ms`));
    });
  }

  /** Calls back once silence is too long; the answer cancels that. */
  #afterSilence(act: () => void): () => void {
    return this.#hearing.after(this.#heartbeatMs, heartbeatsMissedMax, act);
  }
}

/** A node counts as gone after this many heartbeats without a report. */
export const heartbeatsMissedMax = 3;

function lost(why: string): ServiceError {
  return new ServiceError("SERVICE_UNAVAILABLE", `the node's session has ended: ${why}`);
}

function unreported(heartbeatMs: number): ServiceError {
  const waitedMs = heartbeatsMissedMax * heartbeatMs;
  const message = `no report came for ${waitedMs} ms; needed: the first at once, and one every ${heartbeatMs} ms`;
  return new ServiceError("DEADLINE_EXCEEDED", message);
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
