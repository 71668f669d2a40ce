import type { Clock } from "../../../lib/clock.ts";
import { type AspiredVersion, filesOf, isSameVersion } from "./aspired-version.ts";
import { type ModelTable, modelTable } from "./model-table.ts";
import { type HeldVersion, nextAction, nextRetryMs } from "./policy.ts";
import type { Replica, ReplicaState } from "./replica.ts";

/** What a replica set is made of. */
export interface ReplicaSetOptions {
  /** A replica that calls back when its state changes by itself. */
  readonly createReplica: (aspired: AspiredVersion, onChange: () => void) => Replica;
  /** Versions that may load at the same time. */
  readonly loadsMax: number;
  readonly clock: Clock;
  /** Called after every change of the table. */
  readonly onChange: () => void;
}

/** The replicas of this node, on their way to what it should hold. */
export class ReplicaSet {
  readonly #options: ReplicaSetOptions;
  readonly #held = new Set<Replica>();
  #aspired: readonly AspiredVersion[] = [];
  #table: ModelTable = new Map();
  #cancelRetry: () => void = () => undefined;
  #stopping = false;

  constructor(options: ReplicaSetOptions) {
    this.#options = options;
  }

  /** What the node holds and should hold; replaced whole on every change. */
  get table(): ModelTable {
    return this.#table;
  }

  /** Everything that is held, also what is being unloaded, and versions that are held twice while they are exchanged. */
  get held(): readonly HeldVersion[] {
    return [...this.#held];
  }

  /** How far a version is with just these settings; undefined where it is not held with them. */
  stateFor(aspired: AspiredVersion): ReplicaState | undefined {
    return [...this.#held].find((replica) => isSameVersion(replica.aspired, aspired))?.state;
  }

  /** The digests of the artifacts that loads may still need. */
  get neededArtifacts(): ReadonlySet<string> {
    const held = [...this.#held].filter(({ state }) => state.kind !== "unloading").map(({ aspired }) => aspired);
    return new Set([...this.#aspired, ...held].flatMap(({ content }) => filesOf(content)).map(({ sha256 }) => sha256));
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
    for (let action = this.#nextAction(); action !== undefined; action = this.#nextAction()) {
      switch (action.kind) {
        case "load":
          this.#load(this.#created(action.aspired));
          break;
        case "retry":
          this.#load(action.replica);
          break;
        case "unload":
          this.#unload(action.replica);
      }
    }
    this.#scheduleRetry();
    this.#table = modelTable(this.#aspired, [...this.#held]);
    this.#options.onChange();
  }

  #nextAction() {
    const { clock, loadsMax } = this.#options;
    return nextAction({ nowMs: clock.now(), aspired: this.#aspired, held: [...this.#held], loadsMax });
  }

  #created(aspired: AspiredVersion): Replica {
    const replica = this.#options.createReplica(aspired, () => this.#advance());
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

  #scheduleRetry(): void {
    this.#cancelRetry();
    const { clock } = this.#options;
    const atMs = nextRetryMs([...this.#held]);
    if (atMs === Infinity) return;
    this.#cancelRetry = clock.after(Math.max(1, atMs - clock.now()), () => this.#advance());
  }
}
