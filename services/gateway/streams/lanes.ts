import { ServiceError } from "../../../lib/errors.ts";
import type { Call } from "../call/call.ts";
import { type CallEnd, isAway, ok } from "../call/call-end.ts";
import type { Connections } from "../forward/connections.ts";
import type { Forwarder } from "../forward/forwarder.ts";
import type { ModelRef } from "../model-ref.ts";
import type { Route } from "../routed-model.ts";
import type { Router, Way } from "../router.ts";
import { answeredBeforeDrain } from "./drained.ts";
import type { FrameMerge } from "./frame-merge.ts";
import { Lane } from "./lane.ts";

/** What the lanes of a stream need. */
export interface LanesParts {
  readonly router: Router;
  readonly nodes: Connections;
  readonly forwarder: Pick<Forwarder, "noteCall" | "takeRetry">;
  /** Takes all answers. */
  readonly answers: FrameMerge;
  /** How many there may be. */
  readonly lanesMax: number;
  /** Calls back when a lane welcomes requests again. */
  readonly onDrained: (lane: Lane) => void;
  /** Hears of every lane how it ended, and whether that is the end of the stream. */
  readonly onEnd: (lane: Lane, end: CallEnd, isLast: boolean) => void;
}

/**
 * The lanes of one stream, one for each version on a node. Requests that name the same go the same way as long as that leads there;
 * where it leads elsewhere, what was sent is still answered. A node that is lost before it has answered the first request of its lane is
 * replaced by another replica, within the budget of retries; one that drains once all is answered, by the next request.
 */
export class Lanes {
  readonly #call: Call;
  readonly #parts: LanesParts;
  /** By version and node. */
  readonly #open = new Map<string, Lane>();
  /** Those that get no more requests, and may still answer. */
  readonly #left = new Set<Lane>();
  /** Those that have sequences. */
  readonly #kept = new Set<Lane>();
  /** Where requests that stand alone go, by what they name. */
  readonly #ways = new Map<string, Lane>();
  #isWhole = false;
  #opened = 0;

  constructor(call: Call, parts: LanesParts) {
    this.#call = call;
    this.#parts = parts;
  }

  /** Those that have not ended. */
  get size(): number {
    return this.#open.size + this.#left.size;
  }

  /** How many there have ever been. */
  get opened(): number {
    return this.#opened;
  }

  /** That of a request; throws what `Router.way` throws, and STREAM_TOO_WIDE. */
  for(ref: ModelRef): Lane {
    const { router } = this.#parts;
    const { headers } = this.#call;
    if (ref.sequence !== undefined) {
      const way = router.way(ref, headers);
      const lane = this.#of(way);
      this.#kept.add(lane);
      way.ended?.(lane.node, true);
      return lane;
    }
    const name = JSON.stringify([ref.model, ref.version]);
    const last = this.#ways.get(name);
    if (last !== undefined && router.stillLeads(ref, headers, last.route, last.node)) return last;
    const lane = this.#of(router.way(ref, headers));
    this.#ways.set(name, lane);
    if (last !== undefined && last !== lane) this.#leave(last);
    return lane;
  }

  /** The nodes have all requests that they will get. */
  sendNoMore(): void {
    this.#isWhole = true;
    for (const lane of this.#open.values()) lane.sendNoMore();
  }

  #of(way: Way, tried: readonly string[] = []): Lane {
    const { nodes, forwarder, answers, lanesMax } = this.#parts;
    const { route, replicas, choose } = way;
    const node = choose(replicas.filter((address) => !tried.includes(address)));
    const key = keyOf(route, node);
    let lane = this.#open.get(key);
    if (lane !== undefined) return lane;
    if (this.size >= lanesMax) {
      const text = `the stream already goes to ${lanesMax} versions on nodes, its limit; open another one`;
      throw new ServiceError("STREAM_TOO_WIDE", text, { metadata: { lanesMax: String(lanesMax) } });
    }
    lane = new Lane(this.#call, { way, node, tried: [...tried, node], answers: answers.source(), nodes });
    this.#open.set(key, lane);
    this.#opened++;
    if (tried.length === 0) forwarder.noteCall(route.model);
    void this.#run(lane);
    return lane;
  }

  async #run(lane: Lane): Promise<void> {
    const { onDrained, onEnd } = this.#parts;
    const end = await lane.run(() => onDrained(lane));
    const hasLeft = this.#left.delete(lane);
    this.#forget(lane);
    if (this.#replace(lane, end, hasLeft)) {
      onDrained(lane);
      return;
    }
    this.#kept.delete(lane);
    const hasDrained = answeredBeforeDrain(end) === lane.sent;
    const isExpected = hasDrained || (end.code === ok.code && (hasLeft || this.#isWhole));
    this.#rename(lane);
    onEnd(lane, hasDrained ? ok : end, !isExpected || (this.#isWhole && this.size === 0));
  }

  /** Sends the only request of a lane that was lost to another replica; answers whether that can be done. */
  #replace(lane: Lane, end: CallEnd, hasLeft: boolean): boolean {
    const { untouched, way, tried } = lane;
    if (untouched === undefined || !isAway(end) || this.#call.over !== undefined) return false;
    if (way.replicas.every((address) => tried.includes(address)) || this.size >= this.#parts.lanesMax) return false;
    if (!this.#parts.forwarder.takeRetry(way.route.model, tried.length)) return false;
    const other = this.#of(way, tried);
    this.#rename(lane, other);
    if (this.#kept.delete(lane)) this.#kept.add(other);
    way.ended?.(other.node, true);
    other.send(untouched);
    if (hasLeft) this.#leave(other);
    if (this.#isWhole) other.sendNoMore();
    return true;
  }

  /** What led to a lane leads to another one, or nowhere for now. */
  #rename(lane: Lane, other?: Lane): void {
    for (const [name, led] of this.#ways) {
      if (led !== lane) continue;
      if (other === undefined) this.#ways.delete(name);
      else this.#ways.set(name, other);
    }
  }

  /** Nothing leads there any longer. */
  #leave(lane: Lane): void {
    if (this.#kept.has(lane) || [...this.#ways.values()].includes(lane)) return;
    this.#forget(lane);
    this.#left.add(lane);
    lane.sendNoMore();
  }

  #forget(lane: Lane): void {
    const key = keyOf(lane.route, lane.node);
    if (this.#open.get(key) === lane) this.#open.delete(key);
  }
}

function keyOf({ model, version }: Route, node: string): string {
  return JSON.stringify([model, version, node]);
}
