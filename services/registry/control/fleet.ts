import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { NodeSession } from "./node-session.ts";
import { changedModels, type NodeState } from "./node-state.ts";

/** What of the fleet has changed: which nodes there are, or what one of them holds. */
export type FleetChange =
  | { readonly kind: "members" }
  | { readonly kind: "replicas"; readonly models: ReadonlySet<string> };

/** The nodes that are connected and report. */
export class Fleet {
  readonly #byId = new Map<string, NodeSession>();
  readonly #heartbeatMs: number;
  readonly #clock: Clock;
  readonly #onChange: (change: FleetChange) => void;
  #sessions: readonly NodeSession[] = [];

  constructor(heartbeatMs: number, clock: Clock, onChange: (change: FleetChange) => void) {
    this.#heartbeatMs = heartbeatMs;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** In the order of their names. */
  get sessions(): readonly NodeSession[] {
    return this.#sessions;
  }

  /** A node's first report; its session replaces an older one of the same name. */
  join(state: NodeState): NodeSession {
    const older = this.#byId.get(state.id);
    older?.cancelTimeout();
    older?.end(lost(`another node named ${state.id} has connected`));
    const session = new NodeSession(state);
    this.#byId.set(state.id, session);
    this.#expectReport(session);
    this.#changeMembers();
    return session;
  }

  /** A further report, under the same name; a session that has ended says nothing more. */
  report(session: NodeSession, state: NodeState): void {
    if (!this.#isMember(session)) return;
    const before = session.state;
    session.state = state;
    this.#expectReport(session);
    if (before.draining !== state.draining || before.address !== state.address) this.#changeMembers();
    const models = changedModels(before, state);
    if (models.size > 0) this.#onChange({ kind: "replicas", models });
  }

  /** The node's stream has ended. */
  leave(session: NodeSession): void {
    session.cancelTimeout();
    if (!this.#isMember(session)) return;
    this.#byId.delete(session.state.id);
    this.#changeMembers();
  }

  #isMember(session: NodeSession): boolean {
    return this.#byId.get(session.state.id) === session;
  }

  /**
   * Silence is counted in heartbeats that pass here, not in time: a registry that stood still for a while counts one, reads
   * what has arrived meanwhile, and blames no node.
   */
  #expectReport(session: NodeSession, missedCount = 0): void {
    session.cancelTimeout();
    session.cancelTimeout = this.#clock.after(this.#heartbeatMs, () => {
      if (missedCount + 1 < heartbeatsMissedMax) return this.#expectReport(session, missedCount + 1);
      this.leave(session);
      session.end(lost(`no report for ${heartbeatsMissedMax * this.#heartbeatMs} ms`));
    });
  }

  #changeMembers(): void {
    this.#sessions = [...this.#byId.values()].sort((a, b) => (a.state.id < b.state.id ? -1 : 1));
    this.#onChange({ kind: "members" });
  }
}

/** A node counts as gone after this many heartbeats without a report. */
const heartbeatsMissedMax = 3;

function lost(why: string): ServiceError {
  return new ServiceError("SERVICE_UNAVAILABLE", `the node's session has ended: ${why}`);
}
