import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import { versionName } from "../../../lib/resource-names.ts";
import type { ControlConfig } from "../config.ts";
import type { EntryStore, ModelEntry } from "../store/entries.ts";
import type { CatalogueChanges } from "./catalogue-changes.ts";
import { Fleet, type FleetChange } from "./fleet.ts";
import type { Assigned, NodeSession } from "./node-session.ts";
import { placement } from "./placement.ts";
import { RouteFeed } from "./route-feed.ts";
import { modelRoute, sameRoute } from "./routes.ts";
import { servedVersions } from "./serving-policy.ts";

/** A version and where it should be. */
interface Placed {
  readonly assigned: Assigned;
  readonly nodes: ReadonlySet<string>;
}

/**
 * Brings catalogue and fleet together: what changes in one of them becomes assignments for nodes and routes for gateways.
 * Many changes at once are worked off together, model by model.
 */
export class ControlPlane {
  readonly fleet: Fleet;
  readonly routes = new RouteFeed();
  readonly #config: ControlConfig;
  readonly #entries: EntryStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #known = new Map<string, ModelEntry>();
  readonly #placed = new Map<string, readonly Placed[]>();
  readonly #stale = new Set<string>();
  readonly #dirty = new Set<string>();
  #working: Promise<void> | undefined;
  #settle!: () => void;
  /** Settles once every served version is ready somewhere, or nodes have had time to connect again after a restart. */
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
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
    this.#clock.after(graceHeartbeats * this.#config.heartbeatMs, this.#settle);
    for (const model of await this.#entries.modelIds()) this.#stale.add(model);
    this.#work();
    await this.#working;
    this.#settleIfReady();
  }

  #fleetChanged(change: FleetChange): void {
    for (const model of change.kind === "members" ? this.#known.keys() : change.models) this.#dirty.add(model);
    this.#work(change.kind === "members");
  }

  #membersChanged = false;

  #work(membersChanged = false): void {
    this.#membersChanged ||= membersChanged;
    this.#working ??= this.#workOff()
      .catch((error) => this.#log.error({ error }, "control plane"))
      .finally(() => {
        this.#working = undefined;
        if (this.#stale.size > 0 || this.#dirty.size > 0 || this.#membersChanged) this.#work();
      });
  }

  async #workOff(): Promise<void> {
    for (const model of take(this.#stale)) {
      const entry = await this.#entries.entry(model);
      if (entry === undefined) this.#known.delete(model);
      else this.#known.set(model, entry);
      this.#dirty.add(model);
    }
    const dirty = take(this.#dirty);
    const membersChanged = this.#membersChanged;
    this.#membersChanged = false;
    if (dirty.length === 0 && !membersChanged) return;
    for (const model of dirty) this.#place(model);
    for (const session of this.fleet.sessions) session.assign(this.#assignmentOf(session));
    for (const model of dirty) this.#route(model);
    this.#settleIfReady();
  }

  #place(model: string): void {
    const entry = this.#known.get(model);
    if (entry === undefined) {
      this.#placed.delete(model);
      return;
    }
    const nodes = this.fleet.sessions.filter(({ state }) => !state.draining).map(({ state }) => state.id);
    const { newestVersionsServed, replicasPerVersion } = this.#config;
    const placed = servedVersions(entry, newestVersionsServed).map(({ number, sha256, sizeBytes }) => {
      const version = versionName(model, number);
      const readyOn = this.#readyOn(version).map(({ state }) => state.id);
      const aliases = Object.keys(entry.aliases).filter((alias) => entry.aliases[alias] === number);
      const assigned = { version, sha256, sizeBytes, aliases: aliases.sort() };
      return { assigned, nodes: placement({ key: version, readyOn }, nodes, replicasPerVersion) };
    });
    this.#placed.set(model, placed);
  }

  #assignmentOf({ state }: NodeSession): readonly Assigned[] {
    return [...this.#placed.values()].flat().flatMap(({ assigned, nodes }) => (nodes.has(state.id) ? [assigned] : []));
  }

  #route(model: string): void {
    const entry = this.#known.get(model);
    const before = this.routes.get(model);
    if (entry === undefined) {
      if (before !== undefined) this.routes.publish({ kind: "removed", model });
      return;
    }
    const addresses = (version: number) => this.#readyOn(versionName(model, version)).map(({ state }) => state.address);
    const route = modelRoute(entry, addresses, before);
    if (!sameRoute(before, route)) this.routes.publish({ kind: "changed", route });
  }

  #readyOn(version: string): readonly NodeSession[] {
    return this.fleet.sessions.filter(({ state }) => !state.draining && state.replicas.get(version)?.state === "READY");
  }

  #settleIfReady(): void {
    const placed = [...this.#placed.values()].flat();
    if (placed.every(({ assigned }) => this.#readyOn(assigned.version).length > 0)) this.#settle();
  }
}

/** How long nodes may take to connect again after the registry's start, in heartbeats. */
const graceHeartbeats = 3;

function take<Value>(set: Set<Value>): readonly Value[] {
  const taken = [...set];
  set.clear();
  return taken;
}
