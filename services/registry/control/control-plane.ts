import { randomUUID } from "node:crypto";
import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import type { ControlConfig } from "../config.ts";
import type { Database } from "../store/database.ts";
import { FleetStore } from "../store/fleet.ts";
import { CatalogueLink } from "./catalogue-link.ts";
import { Fleet, heartbeatsMissedMax } from "./fleet.ts";
import { type FleetCapabilities, fleetCapabilities } from "./fleet-capabilities.ts";
import { HearingTime } from "./hearing-time.ts";
import type { NodeState } from "./node-state.ts";
import { Planner } from "./planner.ts";
import { RouteFeed } from "./route-feed.ts";
import { SharedFleet } from "./shared-fleet.ts";

/** What a control plane is made of. */
export interface ControlParts {
  readonly config: ControlConfig;
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Brings catalogue and fleet together: what changes in one of them becomes assignments for nodes and routes for gateways. Many
 * changes at once are planned together. Of several registries on one database each plans everything, by the same inputs, and
 * tells the nodes and gateways that are connected to it.
 *
 * After a start it first lets nodes come back: for three heartbeats they keep what they hold, so that a restart moves nothing;
 * and gateways get no snapshot until then and until every served version is ready or has failed somewhere, or the time for it is
 * over. A catalogue with nothing to serve has nothing to wait for.
 */
export class ControlPlane {
  readonly fleet: Fleet;
  readonly routes: RouteFeed;
  readonly #config: ControlConfig;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #planner: Planner;
  readonly #catalogue: CatalogueLink;
  /** Undefined where no other registry can be on the same database. */
  readonly #shared: SharedFleet | undefined;
  #state: "new" | "settling" | "settled" | "stopped" = "new";
  #isScheduled = false;
  readonly #releases: (() => unknown)[] = [];
  #resolveSettled!: () => void;
  /** Settles once the route table says more than that nodes have not come back yet. */
  readonly settled = new Promise<void>((resolve) => {
    this.#resolveSettled = resolve;
  });

  constructor({ config, database, clock, log }: ControlParts) {
    // Another one for every start, so that nobody goes on behind a number of an earlier life.
    const id = randomUUID();
    this.#config = config;
    this.#clock = clock;
    this.#planner = new Planner(config);
    this.routes = new RouteFeed(id);
    this.fleet = new Fleet(config.heartbeatMs, clock, (before, after) => this.#nodeChanged(before, after));
    this.#catalogue = new CatalogueLink(database, clock, log, (model, entry) => {
      this.#planner.setEntry(model, entry);
      this.#schedule();
    });
    this.#database = database;
    if (database.isShared) this.#shared = new SharedFleet(id, new FleetStore(database, id), this.fleet, clock, log);
  }

  /** What the nodes of the fleet can run, together. */
  get capabilities(): FleetCapabilities {
    return fleetCapabilities(this.fleet.nodes);
  }

  /** Reads the catalogue, and which nodes are connected to other registries. */
  async start(): Promise<void> {
    await this.#shared?.start();
    await this.#catalogue.start();
    this.#state = "settling";
    const { heartbeatMs, settleTimeoutMs } = this.#config;
    const hearing = new HearingTime(this.#clock, heartbeatMs);
    this.#releases.push(
      this.#database.onFleet(() => this.#shared?.heard()),
      hearing.after(heartbeatMs, heartbeatsMissedMax, () => this.#endReunion()),
      hearing.after(settleTimeoutMs, 1, () => this.#settle()),
    );
    this.#plan();
  }

  /** Ends all work; the database is not used afterwards. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    for (const release of this.#releases) release();
    await this.#shared?.stop();
    await this.#catalogue.stop();
  }

  #nodeChanged(before: NodeState | undefined, after: NodeState | undefined): void {
    this.#planner.replaceNode(before, after);
    this.#shared?.changed((after ?? before)!.id);
    this.#schedule();
  }

  /** Plans after everything that has arrived by now. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#plan();
    });
  }

  #plan(): void {
    if (this.#state !== "settling" && this.#state !== "settled") return;
    const { nodes, routes, reached } = this.#planner.plan();
    for (const node of nodes.told) this.routes.publish({ kind: "node", node });
    for (const change of routes) this.routes.publish(change);
    for (const address of nodes.gone) this.routes.forgetNode(address);
    // A route ends before its replica does; and gateways need not wait until all that nodes are told is written.
    setImmediate(() => this.#tellNodes());
    this.#catalogue.keep(reached);
    if (this.#state === "settling" && this.#planner.isServed) this.#settle();
  }

  #tellNodes(): void {
    for (const [id, session] of this.fleet.sessions) {
      // A node that drains keeps what it was told to hold: it still finishes what it accepted.
      if (session.state.draining && session.assignment !== undefined) continue;
      session.assign(this.#planner.assignmentOf(id));
    }
  }

  #settle(): void {
    if (this.#state !== "settling") return;
    this.#state = "settled";
    this.#resolveSettled();
    this.#endReunion();
  }

  #endReunion(): void {
    this.#planner.endReunion();
    this.#schedule();
  }
}
