import { expect } from "chai";
import { Histogram } from "../../lib/metrics/histogram.ts";
import { Metrics, type Reading } from "../../lib/metrics/metrics.ts";

describe("metrics in text", () => {
  it("say what is read at the moment, under names with help and type", async () => {
    const metrics = new Metrics();
    let count = 0;
    metrics.counter("things_total", "Things.", () => [{ labels: {}, value: ++count }]);
    metrics.gauge("size_bytes", "A size.", () => [{ labels: { of: "a" }, value: 1.5 }]);
    const expected = (value: number) => [
      "# HELP things_total Things.",
      "# TYPE things_total counter",
      `things_total ${value}`,
      "# HELP size_bytes A size.",
      "# TYPE size_bytes gauge",
      'size_bytes{of="a"} 1.5',
      "",
    ];
    expect((await metrics.text()).split("\n")).to.deep.equal(expected(1));
    expect((await metrics.text()).split("\n")).to.deep.equal(expected(2));
  });

  it("have histograms whose buckets add up, in units of the metric", async () => {
    const histogram = new Histogram([0.5, 10, 2500]);
    for (const ms of [0.25, 0.5, 10, 3000]) histogram.add(ms);
    const metrics = new Metrics();
    metrics.histogram("wait_seconds", "Waits.", () => [{ labels: { model: "m" }, value: histogram }], 1000);
    expect((await metrics.text()).split("\n").slice(2, -1)).to.deep.equal([
      'wait_seconds_bucket{le="0.0005",model="m"} 2',
      'wait_seconds_bucket{le="0.01",model="m"} 3',
      'wait_seconds_bucket{le="2.5",model="m"} 3',
      'wait_seconds_bucket{le="+Inf",model="m"} 4',
      'wait_seconds_sum{model="m"} 3.01075',
      'wait_seconds_count{model="m"} 4',
    ]);
  });

  it("forget labels that are no longer read", async () => {
    const metrics = new Metrics();
    let readings: Reading<number>[] = ["a", "b"].map((of) => ({ labels: { of }, value: 1 }));
    metrics.gauge("held", "What is held.", () => readings);
    expect(await metrics.text()).to.include('held{of="a"} 1\nheld{of="b"} 1');
    readings = readings.slice(1);
    expect(await metrics.text()).to.not.include('of="a"');
  });

  it("survive every text in a label", async () => {
    const metrics = new Metrics();
    metrics.gauge("held", "What is held.", () => [{ labels: { of: 'a"b\\c\nd' }, value: 1 }]);
    expect(await metrics.text()).to.include('held{of="a\\"b\\\\c\\nd"} 1');
  });

  it("are read once for all who ask at the same time, each time after what has to come before", async () => {
    const metrics = new Metrics();
    const events: string[] = [];
    metrics.prepare(() => events.push("prepare"));
    metrics.gauge("a", "A.", () => {
      events.push("read");
      return [];
    });
    await Promise.all([metrics.text(), metrics.text()]);
    await metrics.text();
    expect(events).to.deep.equal(["prepare", "read", "prepare", "read"]);
  });

  it("refuse a second metric of the same name", () => {
    const metrics = new Metrics();
    metrics.gauge("a", "A.", () => []);
    expect(() => metrics.gauge("a", "A.", () => [])).to.throw("A metric with the name a has already been registered");
  });
});
