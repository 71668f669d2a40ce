import type { Clock } from "../../../lib/clock.ts";
import type { CallLimits } from "../batching/pending-request.ts";
import { type AspiredVersion, filesOf, isSameVersion } from "./aspired-version.ts";
import { Demand, type DemandBounds } from "./demand.ts";
import { type ModelTable, modelTable, refusedState, stateOf, takesRequests } from "./model-table.ts";
import { nextAction, nextRetryMs, refusals, waitsForRoom } from "./policy.ts";
import { type HeldVersion, isLeftBehind, type PolicySnapshot } from "./policy-snapshot.ts";
import type { Replica, ReplicaState } from "./replica.ts";
import { type ReadyVersion, readyEntry, resolveVersion } from "./resolve.ts";

/** What a replica set is made of. */
export interface ReplicaSetOptions {
  /** A replica that calls back when its state changes by itself, and when it keeps no sequence any longer. */
  readonly createReplica: (aspired: AspiredVersion, onChange: () => void, onSequencesEnd: () => void) => Replica;
  /** Versions that may load at the same time. */
  readonly loadsMax: number;
  /** Memory for versions that are loaded; Infinity sets no bound. */
  readonly budgetBytes: number;
  /** How requests wait for versions that are loaded on demand. */
  readonly demand: DemandBounds;
  readonly clock: Clock;
  /** Called after every change of the table. */
  readonly onChange: () => void;
}

/** The replicas of this node, on their way to what it should hold. */
export class ReplicaSet {
  readonly #options: ReplicaSetOptions;
  readonly #held = new Set<Replica>();
  readonly #demand: Demand;
  #aspired: readonly AspiredVersion[] = [];
  #refusals: ReadonlyMap<AspiredVersion, string> = new Map();
  #table: ModelTable = new Map();
  #cancelRetry: () => void = () => undefined;
  /** Whether something waits for what others hold. */
  #isShort = false;
  #stopping = false;

  constructor(options: ReplicaSetOptions) {
    this.#options = options;
    this.#demand = new Demand(options.demand, options.clock, () => this.#advance());
  }

  /** What the node holds and should hold; replaced whole on every change. */
  get table(): ModelTable {
    return this.#table;
  }

  /** Everything that is held, also what is being unloaded, and versions that are held twice while they are exchanged. */
  get held(): readonly HeldVersion[] {
    return [...this.#held];
  }

  /** How far a version is with just these settings; undefined where it is not held with them, and may yet be. */
  stateFor(aspired: AspiredVersion): ReplicaState | undefined {
    const held = [...this.#held].find((replica) => !isLeftBehind(replica) && isSameVersion(replica.aspired, aspired));
    const refusal = this.refusalOf(aspired);
    return held?.state ?? (refusal === undefined ? undefined : refusedState(refusal));
  }

  /** Why a version cannot be loaded for want of memory; undefined where it can. */
  refusalOf(aspired: AspiredVersion): string | undefined {
    return [...this.#refusals].find(([version]) => isSameVersion(version, aspired))?.[1];
  }

  /** The digests of the artifacts that loads may still need. */
  get neededArtifacts(): ReadonlySet<string> {
    const held = [...this.#held].filter(({ state }) => state.kind !== "unloading").map(({ aspired }) => aspired);
    return new Set([...this.#aspired, ...held].flatMap(({ content }) => filesOf(content)).map(({ sha256 }) => sha256));
  }

  /**
   * A version that takes requests, see `readyVersion`. One that is loaded on demand is loaded first, for as long as the caller, and
   * the bounds, can wait; `inputBytes` says how much waits then.
   */
  ready(
    model: string,
    reference: string,
    limits: CallLimits,
    inputBytes: () => number = () => 0,
  ): ReadyVersion | Promise<ReadyVersion> {
    const entry = resolveVersion(this.#table, model, reference);
    const isAwaited = takesRequests(entry) && stateOf(entry).kind !== "ready";
    if (!isAwaited) return readyEntry(entry);
    const { deadlineMs, signal } = limits;
    return this.#demand.until(entry, { deadlineMs, signal, inputBytes: inputBytes() }, () => {
      const present = resolveVersion(this.#table, model, String(entry.version));
      const { kind } = stateOf(present);
      // What has no room yet, or waits for its turn, may get it.
      return kind === "loading" || kind === "dormant" ? undefined : readyEntry(present);
    });
  }

  /** Makes these the versions to hold, in the order in which they should be loaded. */
  aspire(versions: readonly AspiredVersion[]): void {
    if (this.#stopping) return;
    this.#aspired = versions;
    this.#advance();
  }

  /** Unloads everything; settles when the native memory is free. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelRetry();
    await Promise.all([...this.#held].map((replica) => replica.unload()));
  }

  #advance(): void {
    if (this.#stopping) return;
    // One time for all: what falls due in between would be neither done nor scheduled.
    const nowMs = this.#options.clock.now();
    const next = () => nextAction(this.#snapshotAt(nowMs));
    for (let action = next(); action !== undefined; action = next()) {
      switch (action.kind) {
        case "load":
          this.#load(this.#created(action.aspired));
          break;
        case "retry":
          this.#load(action.replica);
          break;
        case "rest":
          action.replica.rest();
          break;
        case "unload":
          this.#unload(action.replica);
      }
    }
    this.#scheduleRetry(nowMs);
    const snapshot = this.#snapshotAt(nowMs);
    this.#isShort = waitsForRoom(snapshot);
    this.#refusals = refusals(snapshot);
    this.#table = modelTable(this.#aspired, this.#refusals, [...this.#held]);
    this.#options.onChange();
    this.#demand.wake();
  }

  #snapshotAt(nowMs: number): PolicySnapshot<Replica> {
    const { loadsMax, budgetBytes } = this.#options;
    const isDemanded = (version: AspiredVersion) => this.#demand.isFor(version);
    return { nowMs, aspired: this.#aspired, held: [...this.#held], loadsMax, budgetBytes, isDemanded };
  }

  #created(aspired: AspiredVersion): Replica {
    const onSequencesEnd = () => {
      if (this.#isShort) this.#advance();
    };
    const replica = this.#options.createReplica(aspired, () => this.#advance(), onSequencesEnd);
    this.#held.add(replica);
    return replica;
  }

  #load(replica: Replica): void {
    void replica.load().then(() => this.#advance());
  }

  #unload(replica: Replica): void {
    void replica.unload().finally(() => {
      this.#held.delete(replica);
      this.#advance();
    });
  }

  #scheduleRetry(nowMs: number): void {
    this.#cancelRetry();
    const atMs = nextRetryMs([...this.#held], nowMs);
    if (atMs === Infinity) return;
    this.#cancelRetry = this.#options.clock.after(Math.max(1, atMs - nowMs), () => this.#advance());
  }
}
