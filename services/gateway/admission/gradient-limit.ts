import type { Clock } from "../../../lib/clock.ts";
import type { Outcome } from "../balance/replica.ts";
import { LatencyWindow } from "./latency-window.ts";

/** How a limit is found. */
export interface GradientSettings {
  /** How many times the latency without load a call may take; 0 for no limit but the highest. */
  readonly latencyTolerance: number;
  /** How much longer than without load a call may take in any case, in milliseconds. */
  readonly latencySlackMs: number;
  /** The highest limit, which is the first one too. */
  readonly callsMax: number;
}

/**
 * Finds how many calls something can have under way before they only wait for each other. At the end of every window of calls the
 * limit becomes `limit × gradient + √limit`, where the gradient, from 0.5 to 1, is the latency without load, times the tolerance,
 * divided by the median latency of the window. While calls are refused, now and then only an eighth of the limit is let in, to measure
 * the latency without load anew; while none is, it is the lowest of late.
 *
 * Source: the gradient controller of Envoy's adaptive concurrency
 * (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/adaptive_concurrency_filter), which measures at fixed
 * times, and so refuses calls under a load that fits; and Netflix's Gradient2 (https://github.com/Netflix/concurrency-limits), whose
 * latency without load becomes that of an overload which lasts.
 */
export class GradientLimit {
  readonly #settings: GradientSettings;
  readonly #clock: Clock;
  readonly #window: LatencyWindow;
  #limit: number;
  /** How many calls are let in for a measurement; undefined where none goes on. */
  #probe: { readonly calls: number; readonly beganMs: number; fromMs: number } | undefined;
  #nextProbeMs = -Infinity;
  /** The latency without load, and when it was last known to be that. */
  #idleMs: number | undefined;
  #idleAtMs = 0;
  #underWay = 0;
  #peak = 0;
  #isRefusing = false;
  /** Windows in a row in which calls were refused. */
  #refusingCount = 0;
  /** Whether replicas have said in this window that they have too much to do. */
  #isCongested = false;
  /** Whether calls took too long in the last window. */
  #isSlow = false;

  constructor(settings: GradientSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
    this.#limit = settings.callsMax;
    this.#window = new LatencyWindow(clock);
  }

  /** Calls that are let in at the same time, by what is known now. */
  get limit(): number {
    return Math.floor(this.#probe?.calls ?? this.#limit);
  }

  /** Calls that were let in and have not left. */
  get underWay(): number {
    return this.#underWay;
  }

  /** The median latency of the last window, in milliseconds. */
  get latencyMs(): number {
    return this.#window.lastMedianMs;
  }

  /** Lets a call in, or does not; `least` is how many are let in however low the limit is, but for measurements. */
  enter(least: number): boolean {
    if (this.#underWay >= (this.#probe?.calls ?? Math.max(this.#limit, least))) {
      this.#isRefusing = true;
      return false;
    }
    this.#peak = Math.max(this.#peak, ++this.#underWay);
    return true;
  }

  /** A call leaves that was let in so long ago. */
  leave(outcome: Outcome, ms: number): void {
    this.#underWay--;
    const probe = this.#probe;
    const nowMs = this.#clock.monotonicMs();
    if (probe !== undefined && probe.fromMs === Infinity && this.#underWay <= probe.calls) probe.fromMs = nowMs;
    if (outcome === "refused") this.#isCongested = true;
    // One that nobody waits for any longer has taken at least so long.
    const isKnown = outcome === "answered" || (outcome === "cut" && ms > (this.#idleMs ?? 0));
    if (!isKnown) return;
    if (probe !== undefined && nowMs - ms < probe.fromMs) {
      if (nowMs - probe.beganMs > probeMsMax(this.#idleMs)) this.#endProbe(nowMs, nowMs);
      return;
    }
    this.#window.note(ms);
    if (probe === undefined ? this.#window.isFull : this.#window.isEnough) this.#closeWindow(nowMs);
  }

  #closeWindow(nowMs: number): void {
    const medianMs = this.#window.close();
    const probe = this.#probe;
    if (probe !== undefined) {
      this.#noteIdle(medianMs, nowMs);
      this.#endProbe(probe.fromMs, nowMs);
    } else {
      this.#learnIdle(medianMs, nowMs);
      this.#limit = this.#nextLimit(medianMs);
      this.#refusingCount = this.#isRefusing ? this.#refusingCount + 1 : 0;
      if (this.#refusingCount >= probeAfterCount && nowMs >= this.#nextProbeMs) this.#beginProbe(nowMs);
    }
    this.#peak = this.#underWay;
    this.#isRefusing = false;
    this.#isCongested = false;
  }

  #nextLimit(medianMs: number): number {
    const { latencyTolerance, latencySlackMs, callsMax } = this.#settings;
    if (latencyTolerance === 0) return callsMax;
    const allowedMs = Math.max(latencyTolerance * this.#idleMs!, this.#idleMs! + latencySlackMs);
    const gradient = Math.max(0.5, Math.min(allowedMs / medianMs, this.#isCongested ? 0.75 : 1));
    const wasSlow = this.#isSlow;
    this.#isSlow = gradient < 1;
    // What takes too long is what was under way, however high the limit was. Once may be chance.
    const from = this.#isSlow ? Math.min(this.#limit, this.#peak) : this.#limit;
    return Math.min(callsMax, from * (this.#isSlow && !wasSlow ? 1 : gradient) + Math.sqrt(from));
  }

  /**
   * Follows lower latencies in some windows, and higher ones, as long as no call is refused, by doubling in a minute at most and a
   * twentieth per window: a model that has become slower is not held to what it was, and the beginning of an overload is not taken for
   * that.
   */
  #learnIdle(medianMs: number, nowMs: number): void {
    const idleMs = this.#idleMs ?? medianMs;
    const grown = this.#isRefusing ? 1 : Math.min(2 ** ((nowMs - this.#idleAtMs) / doublingMs), 1 + idleStep / 2);
    const learnt = medianMs < idleMs ? idleMs + (medianMs - idleMs) * idleStep : Math.min(medianMs, idleMs * grown);
    this.#noteIdle(learnt, nowMs);
  }

  #noteIdle(ms: number, nowMs: number): void {
    this.#idleMs = ms;
    this.#idleAtMs = nowMs;
  }

  #beginProbe(nowMs: number): void {
    const calls = Math.max(1, Math.floor(this.#limit / probeDivisor));
    this.#probe = { calls, beganMs: nowMs, fromMs: this.#underWay <= calls ? nowMs : Infinity };
  }

  /** So that measuring costs little, the next one is far away; until there was room to measure in, the replicas were busy. */
  #endProbe(fromMs: number, nowMs: number): void {
    this.#probe = undefined;
    this.#window.close();
    this.#nextProbeMs = nowMs + Math.max(probeIntervalMs, probeIntervalFactor * (nowMs - fromMs));
  }
}

/** Where latency is the tolerance times that without load, so much less has none of it to wait for. */
const probeDivisor = 8;
/** Windows in a row with refusals after which one is due: a burst alone is none. */
const probeAfterCount = 5;
const probeIntervalMs = 10_000;
const probeIntervalFactor = 30;
const doublingMs = 60_000;
/** What a window weighs in the latency without load. */
const idleStep = 0.1;

/** One that takes longer says nothing: the load has gone, or calls hang. */
function probeMsMax(idleMs = 0): number {
  return 1000 + 30 * idleMs;
}
