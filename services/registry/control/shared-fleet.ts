import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import type { FleetStore, NodeStamp, NodeWrite, RegistryBeat } from "../store/fleet.ts";
import type { Fleet } from "./fleet.ts";
import type { NodeSession } from "./node-session.ts";
import type { NodeState } from "./node-state.ts";
import { nodeOfText, textOfNode } from "./node-text.ts";

/** A node of another registry, as this one has read it. */
interface OtherNode extends NodeStamp {
  readonly state: NodeState;
}

/**
 * Tells the other registries on the same database which nodes are connected here, and hears of theirs. While the database is away
 * the nodes of others stay as they were.
 */
export class SharedFleet {
  readonly #registry: string;
  readonly #store: FleetStore;
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Ids of nodes whose state here is not written yet. */
  readonly #dirty = new Set<string>();
  /** The sessions whose node is this registry's in the database, by its id. */
  readonly #written = new Map<string, NodeSession>();
  #others: ReadonlyMap<string, OtherNode> = new Map();
  #living: ReadonlySet<string> = new Set();
  #revision = 0;
  #lastBeatMs = Infinity;
  /** Since when the database has been answering, after an outage. */
  #backSinceMs = -Infinity;
  #isWriting = false;
  #isReading = false;
  #mustRead = false;
  #isAway = false;
  #isStopped = false;
  /** What the database is asked for just now; none of it rejects. */
  readonly #running = new Set<Promise<void>>();
  #cancelBeat: () => void = () => undefined;

  constructor(registry: string, store: FleetStore, fleet: Fleet, clock: Clock, log: Log) {
    this.#registry = registry;
    this.#store = store;
    this.#fleet = fleet;
    this.#clock = clock;
    this.#log = log;
  }

  /** Reads the others' nodes, and goes on for ever; rejects where the database is away. */
  async start(): Promise<void> {
    await this.#beat();
    await this.#read();
    this.#beatLater();
  }

  /** The rows stay: nodes have as long to connect to another registry as if this one had died. The database is not used afterwards. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelBeat();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** A node has another state here, or none any longer. */
  changed(id: string): void {
    if (!this.#fleet.sessions.has(id) && !this.#written.has(id)) return;
    this.#dirty.add(id);
    this.#run(this.#writeAll());
  }

  /** Others may have changed. */
  heard(): void {
    this.#mustRead = true;
    if (!this.#isReading) this.#run(this.#readAll());
  }

  #run(work: Promise<void>): void {
    const running = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #beatLater(): void {
    if (this.#isStopped) return;
    this.#cancelBeat = this.#clock.after(beatMs, () => {
      this.#run(this.#beatAndCatchUp().finally(() => this.#beatLater()));
    });
  }

  async #beatAndCatchUp(): Promise<void> {
    try {
      await this.#beat();
      if (this.#isAway) this.#log.info({}, "the database is back; the nodes of other registries are known again");
      this.#isAway = false;
    } catch (error) {
      if (!this.#isAway)
        this.#log.error({ error }, "the database is away; nodes of other registries stay as they were");
      this.#isAway = true;
      return;
    }
    this.heard();
    await this.#writeAll();
  }

  async #beat(): Promise<void> {
    const beats = await this.#store.beat();
    const nowMs = this.#clock.now();
    if (nowMs - this.#lastBeatMs > outageMs) this.#backSinceMs = nowMs;
    this.#lastBeatMs = nowMs;
    // After an outage the others' words are as old as it was long, and they get the time to say that they live.
    const isGrace = nowMs - this.#backSinceMs <= silenceMsMax;
    const lives = ({ id, ageMs }: RegistryBeat) => ageMs <= silenceMsMax || (isGrace && this.#living.has(id));
    const dead = beats.filter((beat) => !lives(beat) && beat.ageMs > forgetMs);
    this.#living = new Set(beats.filter(lives).map(({ id }) => id));
    // Others have forgotten this one, and its nodes.
    if (!beats.some(({ id }) => id === this.#registry))
      for (const id of this.#fleet.sessions.keys()) this.#dirty.add(id);
    if (dead.length > 0 && !isGrace) await this.#store.forget(dead.map(({ id }) => id));
  }

  async #writeAll(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    while (this.#dirty.size > 0 && !this.#isStopped) {
      const ids = [...this.#dirty];
      this.#dirty.clear();
      try {
        await this.#write(ids);
      } catch {
        // Written after the next beat; that says that the database is away.
        for (const id of ids) this.#dirty.add(id);
        break;
      }
    }
    this.#isWriting = false;
  }

  async #write(ids: readonly string[]): Promise<void> {
    const sessions = ids.flatMap((id) => this.#fleet.sessions.get(id) ?? []);
    const writeOf = ({ state }: NodeSession): NodeWrite => {
      return { id: state.id, revision: ++this.#revision, stateJson: textOfNode(state) };
    };
    const isWritten = (session: NodeSession) => this.#written.get(session.state.id) === session;
    const joined = sessions.filter((session) => !isWritten(session));
    const left = ids.filter((id) => !this.#fleet.sessions.has(id));
    await this.#store.write(joined.map(writeOf), sessions.filter(isWritten).map(writeOf), left);
    for (const session of joined) this.#written.set(session.state.id, session);
    for (const id of left) this.#written.delete(id);
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    while (this.#mustRead && !this.#isStopped) {
      this.#mustRead = false;
      // Tried again after the next beat.
      await this.#read().catch(() => undefined);
    }
    this.#isReading = false;
  }

  async #read(): Promise<void> {
    const written = new Map(this.#written);
    const stamps = await this.#store.stamps();
    const isKnown = ({ id, registry, revision }: NodeStamp) => {
      const known = this.#others.get(id);
      return known?.registry === registry && known.revision === revision;
    };
    const unknown = stamps.filter((stamp) => !isKnown(stamp)).map(({ id }) => id);
    const rows = unknown.length > 0 ? await this.#store.states(unknown) : [];
    const others = new Map(stamps.filter(isKnown).map(({ id }) => [id, this.#others.get(id)!]));
    for (const { state_json, ...stamp } of rows) {
      if (stamp.registry !== this.#registry) others.set(stamp.id, { ...stamp, state: nodeOfText(state_json) });
    }
    this.#others = others;
    const living = [...others].filter(([, { registry }]) => this.#living.has(registry));
    this.#fleet.setOthers(new Map(living.map(([id, { state }]) => [id, state])));
    for (const [id] of living) {
      const session = this.#fleet.sessions.get(id);
      // Only what was written before this look can have been overwritten by another registry.
      if (session !== undefined && session === written.get(id)) this.#fleet.giveUp(session);
    }
  }
}

/** How often a registry says that it lives, in milliseconds. */
const beatMs = 500;

/** A registry counts as gone after so long without a word; its nodes have connected to another one by then, or are gone too. */
const silenceMsMax = 2000;

/** More time than this between two beats means that the database was away, for the others as well. */
const outageMs = 1500;

/** After so long nobody waits for a registry any more. */
const forgetMs = 60_000;
