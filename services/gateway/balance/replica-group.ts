import type { Clock } from "../../../lib/clock.ts";
import type { BalanceSettings } from "./balance-settings.ts";
import type { NodeFacts } from "./node-facts.ts";
import { ejectedMax, failsTooOften, slownessMs, slowOutlier } from "./outliers.ts";
import { type NodeStatus, type Outcome, Replica } from "./replica.ts";
import { Seats } from "./seats.ts";

/** What balancing needs of the rest of the gateway. */
export interface BalanceParts {
  /** What is known of the connection to a node; undefined where there is none yet. */
  readonly node: (address: string) => NodeStatus | undefined;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** What is known of nodes, by address. */
export type NodesFacts = ReadonlyMap<string, NodeFacts>;

/** A replica at the moment of a choice. */
interface Seen {
  readonly seat: number;
  /** Above 0. */
  readonly share: number;
  readonly callsPerCore: number;
}

/** The replicas of one version. */
export class ReplicaGroup {
  readonly #settings: BalanceSettings;
  readonly #parts: BalanceParts;
  #addresses: readonly string[] | undefined;
  #nodes: NodesFacts | undefined;
  /** First those of the gateway's own zone. */
  #seats = new Seats([]);
  #nearCount = 0;
  #count = 0;
  /** Whether none of them is new, ejected or has failed last: then only their nodes count, and this table is not read. */
  #isCalm = false;
  #byAddress = new Map<string, Replica>();
  #checkedMs = -Infinity;
  /** Above this latency a replica is too slow. */
  #slowMs = Infinity;

  constructor(settings: BalanceSettings, parts: BalanceParts) {
    this.#settings = settings;
    this.#parts = parts;
  }

  get ejected(): readonly Replica[] {
    return [...this.#byAddress.values()].filter(({ isEjected }) => isEjected);
  }

  /** Takes over where the version is ready and what is known of the nodes, at no cost where that is as before. */
  update(addresses: readonly string[], nodes: NodesFacts): void {
    if (addresses === this.#addresses && nodes === this.#nodes) return;
    const { zone, zoneCallsPerCore } = this.#settings;
    // Where all are new, none is newer than another.
    const sinceMs = this.#addresses === undefined ? -Infinity : this.#parts.clock.monotonicMs();
    const placed = addresses.map((address): [string, Replica] => {
      const facts = nodes.get(address);
      const isNear = zone !== "" && zoneCallsPerCore > 0 && facts?.zone === zone;
      const place = { address, weight: facts?.capacity ?? 1, isNear };
      return [address, this.#byAddress.get(address)?.moveTo(place) ?? new Replica(place, this.#settings, sinceMs)];
    });
    this.#addresses = addresses;
    this.#nodes = nodes;
    this.#byAddress = new Map(placed);
    const places = [...this.#byAddress.values()].map(({ place }) => place);
    const near = places.filter(({ isNear }) => isNear);
    this.#seats = new Seats([...near, ...places.filter(({ isNear }) => !isNear)]);
    this.#nearCount = near.length;
    this.#count = places.length;
    this.#keepBound();
    this.#noteCalm(this.#parts.clock.monotonicMs());
  }

  /**
   * Chooses one of the replicas, or of those among them that are still to be asked: of two that are drawn by weight the one that
   * has fewer calls under way for its weight; first of the gateway's own zone, and of the others where that one has enough to do.
   * Where none is reachable and well, any that is reachable, and else any.
   */
  pick(candidates: readonly string[]): string {
    const { clock, random } = this.#parts;
    const nowMs = clock.monotonicMs();
    const isCandidate = candidates === this.#addresses ? always : (address: string) => candidates.includes(address);
    const see = (seat: number) => (isCandidate(this.#seats.address(seat)) ? this.#seen(seat, nowMs) : undefined);
    const near = this.#betterOfTwo(0, this.#nearCount, see);
    const isEnough =
      near !== undefined &&
      near.callsPerCore < this.#settings.zoneCallsPerCore &&
      (near.share === 1 || random() < near.share);
    const far = isEnough ? undefined : this.#betterOfTwo(this.#nearCount, this.#count, see);
    const chosen = near === undefined || far === undefined ? (near ?? far) : this.#better(near, far);
    if (chosen === undefined) return this.#pickInNeed(candidates, random);
    const address = this.#seats.address(chosen.seat);
    if (!this.#isCalm) this.#byAddress.get(address)!.choose(nowMs);
    return address;
  }

  /**
   * A call on a replica has ended; `ms` is how long its answer took to begin, or how long there was none. Answers whether a replica
   * was ejected for it.
   */
  note(address: string, outcome: Outcome, ms: number): boolean {
    const replica = this.#byAddress.get(address);
    if (replica === undefined) return false;
    const nowMs = this.#parts.clock.monotonicMs();
    const { ejection } = this.#settings;
    // One that does not answer at all is only ever left by its callers.
    const meant = outcome === "cut" && ms > this.#slowMs ? "failed" : outcome;
    replica.note(meant, ms, nowMs);
    this.#isCalm &&= replica.isCalm(nowMs);
    if (meant === "failed" && failsTooOften(replica, ejection)) return this.#eject(replica, nowMs);
    if (nowMs - this.#checkedMs < checkMs) return false;
    this.#checkedMs = nowMs;
    this.#noteCalm(nowMs);
    const replicas = [...this.#byAddress.values()];
    this.#slowMs = slownessMs(replicas, ejection);
    const slow = slowOutlier(replicas, this.#slowMs);
    return slow !== undefined && this.#eject(slow, nowMs);
  }

  /** Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001; the weights are ours. */
  #betterOfTwo(begin: number, end: number, see: (seat: number) => Seen | undefined): Seen | undefined {
    const { random } = this.#parts;
    const first = this.#seats.draw(begin, end, see, random);
    if (first === undefined || end - begin === 1) return first;
    const seeOther = (seat: number) => (seat === first.seat ? undefined : see(seat));
    const second = this.#seats.draw(begin, end, seeOther, random);
    return second === undefined ? first : this.#better(first, second);
  }

  /**
   * The one that has less to do for what it can, the first where both have as much; but it only gets as many of the calls that it would
   * get as its share says beside that of the other one.
   */
  #better(first: Seen, second: Seen): Seen {
    const [better, other] = second.callsPerCore < first.callsPerCore ? [second, first] : [first, second];
    const accepted = better.share / other.share;
    return accepted >= 1 || this.#parts.random() < accepted ? better : other;
  }

  /** Undefined where it gets no calls. */
  #seen(seat: number, nowMs: number): Seen | undefined {
    const address = this.#seats.address(seat);
    const status = this.#parts.node(address);
    const isPlain = this.#isCalm && (status === undefined || isPlainNode(status));
    const share = isPlain ? 1 : this.#byAddress.get(address)!.share(status, nowMs);
    return share === 0
      ? undefined
      : { seat, share, callsPerCore: (status?.outstanding ?? 0) / this.#seats.weight(seat) };
  }

  #noteCalm(nowMs: number): void {
    this.#isCalm = true;
    for (const replica of this.#byAddress.values()) this.#isCalm &&= replica.isCalm(nowMs);
  }

  #pickInNeed(candidates: readonly string[], random: () => number): string {
    const reachable = candidates.filter((address) => this.#isReachable(address));
    const left = reachable.length > 0 ? reachable : candidates;
    return left[Math.floor(random() * left.length)]!;
  }

  #isReachable(address: string): boolean {
    return this.#parts.node(address)?.isReachable ?? true;
  }

  /** Where the bound allows it, and another one is left that can answer. */
  #eject(replica: Replica, nowMs: number): boolean {
    const replicas = [...this.#byAddress.values()];
    if (!replica.isEjected) {
      if (this.ejected.length >= ejectedMax(replicas.length, this.#settings.ejection)) return false;
      const isWell = (other: Replica) => !other.isEjected && this.#isReachable(other.place.address);
      if (!replicas.some((other) => other !== replica && isWell(other))) return false;
    }
    replica.eject(nowMs);
    this.#isCalm = false;
    return true;
  }

  /** Of fewer replicas fewer may be ejected; those whose time is over first come back first. */
  #keepBound(): void {
    const { ejected } = this;
    const excess = ejected.length - ejectedMax(this.#byAddress.size, this.#settings.ejection);
    if (excess <= 0) return;
    const nowMs = this.#parts.clock.monotonicMs();
    const soonest = [...ejected].sort((a, b) => a.ejectedUntilMs - b.ejectedUntilMs).slice(0, excess);
    for (const replica of soonest) replica.readmit(nowMs);
  }
}

/** Whether nothing is to be said of a node but how much it has to do. */
function isPlainNode({ isReachable, reconnectedMs }: NodeStatus): boolean {
  return isReachable && reconnectedMs === -Infinity;
}

const always = () => true;
/** How often latencies are compared. */
const checkMs = 1000;
