import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import type { ControlConfig } from "../config.ts";
import type { EntryStore, ModelEntry } from "../store/entries.ts";
import type { CatalogueChanges } from "./catalogue-changes.ts";
import { Fleet, type FleetChange } from "./fleet.ts";
import { type FleetView, fleetView } from "./fleet-view.ts";
import { type Assigned, type ModelPlan, modelPlan } from "./model-plan.ts";
import type { NodeSession } from "./node-session.ts";
import { RouteFeed } from "./route-feed.ts";
import { changeOf } from "./routes.ts";

/**
 * Brings catalogue and fleet together: what changes in one of them becomes assignments for nodes and routes for gateways.
 * Many changes at once are worked off together, model by model.
 *
 * After a start it first lets nodes come back: for three heartbeats they keep what they hold, so that a restart moves nothing;
 * and gateways get no snapshot until then and until every served version is ready somewhere, or the time for it is over. A
 * catalogue with nothing to serve has nothing to wait for.
 */
export class ControlPlane {
  readonly fleet: Fleet;
  readonly routes = new RouteFeed();
  readonly #config: ControlConfig;
  readonly #entries: EntryStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #known = new Map<string, ModelEntry>();
  readonly #plans = new Map<string, ModelPlan>();
  /** Models to read again, and models to plan again. */
  readonly #stale = new Set<string>();
  readonly #dirty = new Set<string>();
  #membersChanged = false;
  #state: "new" | "settling" | "settled" | "stopped" = "new";
  #busy = false;
  #working: Promise<void> = Promise.resolve();
  #isReunionOver = false;
  #cancelTimers: (() => void)[] = [];
  #cancelRetry: () => void = () => undefined;
  #resolveSettled!: () => void;
  /** Settles once the route table says more than that nodes have not come back yet. */
  readonly settled = new Promise<void>((resolve) => {
    this.#resolveSettled = resolve;
  });

  constructor(config: ControlConfig, entries: EntryStore, changes: CatalogueChanges, clock: Clock, log: Log) {
    this.#config = config;
    this.#entries = entries;
    this.#clock = clock;
    this.#log = log;
    this.fleet = new Fleet(config.heartbeatMs, clock, (change) => this.#fleetChanged(change));
    changes.listen((model) => {
      this.#stale.add(model);
      this.#work();
    });
  }

  /** Reads the catalogue. */
  async start(): Promise<void> {
    for (const entry of await this.#entries.all()) this.#known.set(entry.id, entry);
    this.#state = "settling";
    const { heartbeatMs, settleTimeoutMs } = this.#config;
    const endReunion = () => {
      this.#isReunionOver = true;
      this.#fleetChanged({ kind: "members" });
    };
    this.#cancelTimers = [
      this.#clock.after(reunionHeartbeats * heartbeatMs, endReunion),
      this.#clock.after(settleTimeoutMs, () => this.#settle()),
    ];
    this.#fleetChanged({ kind: "members" });
    await this.#working;
  }

  /** Ends all work; the database is not read afterwards. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    for (const cancel of [...this.#cancelTimers, this.#cancelRetry]) cancel();
    await this.#working;
  }

  #fleetChanged(change: FleetChange): void {
    this.#membersChanged ||= change.kind === "members";
    for (const model of change.kind === "members" ? this.#known.keys() : change.models) this.#dirty.add(model);
    this.#work();
  }

  get #hasWork(): boolean {
    const isStarted = this.#state === "settling" || this.#state === "settled";
    return isStarted && (this.#stale.size > 0 || this.#dirty.size > 0 || this.#membersChanged);
  }

  #work(): void {
    if (!this.#busy && this.#hasWork) this.#working = this.#workOff();
  }

  async #workOff(): Promise<void> {
    this.#busy = true;
    try {
      while (this.#hasWork) {
        for (const model of this.#stale) await this.#read(model);
        this.#planAll();
      }
    } catch (error) {
      this.#log.error({ error }, "the catalogue cannot be read; trying again");
      this.#cancelRetry();
      this.#cancelRetry = this.#clock.after(retryDelayMs, () => this.#work());
    } finally {
      this.#busy = false;
    }
  }

  async #read(model: string): Promise<void> {
    // Before reading: a change during the read makes the model stale again.
    this.#stale.delete(model);
    try {
      const entry = await this.#entries.entry(model);
      if (entry === undefined) this.#known.delete(model);
      else this.#known.set(model, entry);
      this.#dirty.add(model);
    } catch (failure) {
      this.#stale.add(model);
      throw failure;
    }
  }

  /** Plans every model that needs it, then tells gateways before nodes: a route ends before its replica does. */
  #planAll(): void {
    const view = fleetView(
      this.fleet.sessions.map(({ state }) => state),
      this.#state === "settling" && !this.#isReunionOver,
    );
    const affected = new Set<string>();
    for (const model of this.#dirty) {
      const [before, entry] = [this.#plans.get(model), this.#known.get(model)];
      const plan = entry && modelPlan(entry, view, this.#config, before?.route);
      if (plan === undefined) this.#plans.delete(model);
      else this.#plans.set(model, plan);
      for (const { nodes } of [...(before?.placed ?? []), ...(plan?.placed ?? [])]) {
        for (const node of nodes) affected.add(node);
      }
      const change = changeOf(before?.route, plan?.route);
      if (change !== undefined) this.routes.publish(change);
    }
    for (const session of this.fleet.sessions) {
      if (this.#membersChanged || affected.has(session.state.id)) this.#assign(session);
    }
    this.#dirty.clear();
    this.#membersChanged = false;
    if (this.#state === "settling" && this.#isServed(view)) this.#settle();
  }

  /** A node that drains keeps what it was told to hold: it still finishes what it accepted. */
  #assign(session: NodeSession): void {
    const { id, draining } = session.state;
    if (draining && session.assignment !== undefined) return;
    const assigned: Assigned[] = [];
    for (const { placed } of this.#plans.values()) {
      for (const version of placed) if (version.nodes.has(id)) assigned.push(version.assigned);
    }
    session.assign(assigned);
  }

  #isServed({ isDecided }: FleetView): boolean {
    const placed = [...this.#plans.values()].flatMap((plan) => plan.placed);
    return placed.length === 0 || (this.#isReunionOver && placed.every(({ assigned }) => isDecided(assigned.version)));
  }

  #settle(): void {
    if (this.#state !== "settling") return;
    this.#state = "settled";
    this.#resolveSettled();
    this.#fleetChanged({ kind: "members" });
  }
}

/** How long nodes that are well take to come back after the registry's start, in heartbeats. */
const reunionHeartbeats = 3;

/** How long to wait before the catalogue is read again after a failure. */
const retryDelayMs = 1000;
