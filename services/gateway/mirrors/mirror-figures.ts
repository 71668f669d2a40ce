import { Histogram } from "../../../lib/metrics/histogram.ts";
import type { Metrics, Reading } from "../../../lib/metrics/metrics.ts";
import type { ModelRoute } from "../route-facts.ts";
import type { OutputComparison } from "./compare-outputs.ts";

/** What has become of a copy. */
export type CopyEnd =
  /** Both answers were there, and were compared. */
  | "compared"
  /** Both were there; there was no room or no time to compare them, or they are not as nodes answer. */
  | "uncompared"
  /** The mirror has not answered with OK, or not in time. */
  | "failed"
  /** The request itself was not answered with OK; there is nothing to compare with. */
  | "alone"
  /** There was no room for it: it was not sent. */
  | "dropped";

/** A version that answers, and the one that gets copies. */
export interface MirrorPair {
  readonly model: string;
  readonly version: number;
  readonly mirror: number;
}

/** What is known of the answers of one version to copies of the requests to another one. */
interface PairFigures {
  readonly pair: MirrorPair;
  readonly ends: Map<CopyEnd, number>;
  /** By name. */
  readonly outputs: Map<string, OutputFigures>;
}

interface OutputFigures {
  /** How many were found how; of those that could be compared: equal or different. */
  readonly counts: Map<string, number>;
  readonly differences: Histogram;
  rows: number;
  agreeing: number;
}

/** Counts copies, and how their answers were, by pairs of versions. */
export class MirrorFigures {
  readonly #pairs = new Map<string, PairFigures>();

  noteEnd(pair: MirrorPair, end: CopyEnd): void {
    const { ends } = this.#of(pair);
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }

  noteOutputs(pair: MirrorPair, comparisons: ReadonlyMap<string, OutputComparison>): void {
    const { outputs } = this.#of(pair);
    for (const [name, comparison] of comparisons) {
      const figures = outputs.get(name) ?? newFigures();
      if (outputs.size >= outputsMax && !outputs.has(name)) continue;
      outputs.set(name, figures);
      noteOutput(figures, comparison);
    }
  }

  /** Forgets the pairs of versions that are not in the table any longer. */
  retain(models: ReadonlyMap<string, ModelRoute>): void {
    for (const [key, { pair }] of this.#pairs) {
      const versions = models.get(pair.model)?.versions;
      if (!versions?.has(pair.version) || !versions.has(pair.mirror)) this.#pairs.delete(key);
    }
  }

  /** Adds its metrics. */
  describe(metrics: Metrics): void {
    metrics.counter("amaas_gateway_mirror_copies_total", "Copies of requests by what has become of them.", () =>
      this.#readings(({ ends }) => [...ends].map(([end, value]) => ({ labels: { end }, value }))),
    );
    metrics.counter(
      "amaas_gateway_mirror_outputs_total",
      "Outputs that were compared: equal, different, of another type or shape, or missing in one of the answers.",
      () => this.#outputReadings(({ counts }) => [...counts].map(([result, value]) => ({ labels: { result }, value }))),
    );
    metrics.histogram(
      "amaas_gateway_mirror_max_abs_difference",
      "The largest difference between two elements of an output of numbers.",
      () => this.#outputReadings(({ differences }) => [{ labels: {}, value: differences }]),
    );
    metrics.counter(
      "amaas_gateway_mirror_rows_total",
      "Rows of outputs whose greatest elements were looked for, along the last axis.",
      () => this.#outputReadings(({ rows }) => [{ labels: {}, value: rows }]),
    );
    metrics.counter(
      "amaas_gateway_mirror_agreeing_rows_total",
      "Of these, the rows whose greatest elements are in the same place.",
      () => this.#outputReadings(({ agreeing }) => [{ labels: {}, value: agreeing }]),
    );
  }

  #of(pair: MirrorPair): PairFigures {
    const key = `${pair.model} ${pair.version} ${pair.mirror}`;
    let figures = this.#pairs.get(key);
    if (figures === undefined) {
      figures = { pair, ends: new Map(), outputs: new Map() };
      this.#pairs.set(key, figures);
    }
    return figures;
  }

  *#readings<Value>(of: (figures: PairFigures) => readonly Reading<Value>[]): Generator<Reading<Value>> {
    for (const figures of this.#pairs.values()) {
      const { model, version, mirror } = figures.pair;
      const pair = { model, version: String(version), mirror: String(mirror) };
      for (const { labels, value } of of(figures)) yield { labels: { ...pair, ...labels }, value };
    }
  }

  #outputReadings<Value>(of: (figures: OutputFigures) => readonly Reading<Value>[]): Iterable<Reading<Value>> {
    return this.#readings(({ outputs }) =>
      [...outputs].flatMap(([output, figures]) =>
        of(figures).map(({ labels, value }) => ({ labels: { output, ...labels }, value })),
      ),
    );
  }
}

function noteOutput(figures: OutputFigures, comparison: OutputComparison): void {
  const result = resultOf(comparison);
  figures.counts.set(result, (figures.counts.get(result) ?? 0) + 1);
  if (comparison.kind !== "numbers") return;
  figures.differences.add(comparison.maxDifference);
  figures.rows += comparison.rows;
  figures.agreeing += comparison.agreeing;
}

function resultOf(comparison: OutputComparison): string {
  if (comparison.kind === "texts") return comparison.areEqual ? "equal" : "different";
  if (comparison.kind === "numbers") return comparison.maxDifference === 0 ? "equal" : "different";
  return comparison.kind;
}

function newFigures(): OutputFigures {
  return { counts: new Map(), differences: new Histogram(differenceBounds), rows: 0, agreeing: 0 };
}

const differenceBounds = [0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100];
/** Outputs of a pair that are counted apart; models have few. */
const outputsMax = 64;
