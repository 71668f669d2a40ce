import { setImmediate } from "node:timers/promises";
import { type Metric, Registry } from "prom-client";
import type { Distribution } from "./histogram.ts";

/** What a metric says under one set of labels. */
export interface Reading<Value> {
  /** By label name. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Value;
}

/** Gives what there is to say at the moment, one reading per set of labels; what it leaves out disappears from the metric. */
export type Read<Value> = () => Iterable<Reading<Value>>;

/** A line of the text format without its number. */
interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Further labels of the same object for many lines. */
  readonly sharedLabels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * The metrics of one process in Prometheus's text format. Nothing is told to them: they read what others count, whenever somebody
 * asks, so that they cost nothing in between.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #names: string[] = [];
  readonly #preparations: (() => void)[] = [];
  #rendering: Promise<string> | undefined;

  /** The media type of the text. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Adds a number that only grows, until the process or what the labels name begins anew. */
  counter(name: string, help: string, read: Read<number>): void {
    this.#add(name, help, "counter", () => numberSamples(name, read));
  }

  /** Adds a number that comes and goes. */
  gauge(name: string, help: string, read: Read<number>): void {
    this.#add(name, help, "gauge", () => numberSamples(name, read));
  }

  /** Adds a histogram. Of what is counted, `perUnit` are one unit of the metric: 1000 for seconds of milliseconds. */
  histogram(name: string, help: string, read: Read<Distribution>, perUnit = 1): void {
    this.#add(name, help, "histogram", () => histogramSamples(name, read, perUnit));
  }

  /** Adds something to do at the beginning of every reading. */
  prepare(preparation: () => void): void {
    this.#preparations.push(preparation);
  }

  /** Reads everything; those who ask at the same time share one reading. */
  text(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = undefined;
    });
    return this.#rendering;
  }

  async #render(): Promise<string> {
    for (const prepare of this.#preparations) prepare();
    const parts: string[] = [];
    let turnMs = performance.now();
    for (const name of this.#names) {
      parts.push(await this.#registry.getSingleMetricAsString(name));
      if (performance.now() - turnMs < turnMsMax) continue;
      // A node of very many versions has very many lines, and requests that wait.
      await setImmediate();
      turnMs = performance.now();
    }
    return `${parts.join("\n")}\n`;
  }

  #add(name: string, help: string, type: "counter" | "gauge" | "histogram", samples: () => Sample[]): void {
    const get = async () => ({ name, help, type, values: samples() });
    // The registry asks of a metric no more than this.
    this.#registry.registerMetric({ name, get } as unknown as Metric);
    this.#names.push(name);
  }
}

/** How long the lines are written before others get their turn, in milliseconds. */
const turnMsMax = 2;

function numberSamples(metricName: string, read: Read<number>): Sample[] {
  return Array.from(read(), ({ labels, value }) => ({ metricName, labels: {}, sharedLabels: labels, value }));
}

function histogramSamples(name: string, read: Read<Distribution>, perUnit: number): Sample[] {
  const samples: Sample[] = [];
  for (const { labels: sharedLabels, value } of read()) {
    const { bounds, counts, sum } = value;
    let count = 0;
    for (let index = 0; index < counts.length; index++) {
      count += counts[index];
      const le = index < bounds.length ? bounds[index] / perUnit : "+Inf";
      samples.push({ metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: count });
    }
    samples.push({ metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum / perUnit });
    samples.push({ metricName: `${name}_count`, labels: {}, sharedLabels, value: count });
  }
  return samples;
}
