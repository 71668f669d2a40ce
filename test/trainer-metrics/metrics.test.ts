import { readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import type { Loss } from "../../services/trainer/graph/losses/loss.ts";
import { counterOf } from "../../services/trainer/metrics/counter-of.ts";
import { type Measurement, metricNames } from "../../services/trainer/metrics/metric-counter.ts";
import { RocAucCounter } from "../../services/trainer/metrics/roc-auc.ts";
import { fileOf } from "../repository.ts";

/** What test/fixtures/metrics-sklearn.py has written. */
interface Fixture {
  readonly cases: readonly {
    readonly loss: Loss;
    readonly outputShape: readonly number[];
    readonly outputs: readonly number[];
    readonly targets: readonly number[];
    readonly values: Readonly<Record<string, number>>;
    readonly confusion?: readonly number[];
  }[];
}
const fixture: Fixture = JSON.parse(readFileSync(fileOf("test/fixtures/metrics-sklearn.json"), "utf8"));

/** Counts rows in batches of so many targets. */
function measured(
  { loss, outputShape, outputs, targets }: Omit<Fixture["cases"][number], "values">,
  batchTargets = targets.length,
): Measurement {
  const counter = counterOf(loss, outputShape, "scores");
  const width = outputs.length / targets.length;
  for (let at = 0; at < targets.length; at += batchTargets) {
    const end = at + batchTargets;
    counter.add(Float32Array.from(outputs.slice(at * width, end * width)), Float32Array.from(targets.slice(at, end)));
  }
  return counter.measured();
}

function expectClose(seen: Readonly<Record<string, number>>, needed: Readonly<Record<string, number>>): void {
  expect(Object.keys(seen).sort()).to.deep.equal(Object.keys(needed).sort());
  for (const [name, value] of Object.entries(needed)) {
    expect(seen[name], name).to.be.closeTo(value, 1e-6 * Math.max(1, Math.abs(value)));
  }
}

describe("metrics:", () => {
  for (const { values, confusion, ...rows } of fixture.cases) {
    const title = `${rows.loss.kind}, ${rows.targets.length} targets of [${rows.outputShape}]`;

    it(`${title}: each is as scikit-learn's`, () => {
      const seen = measured(rows);
      expectClose(seen.values, values);
      expect(seen.confusion?.counts).to.deep.equal(confusion);
    });

    it(`${title}: batches do not matter`, () => {
      const width =
        rows.outputShape.length === 1 && rows.targets.length < rows.outputs.length ? 1 : rows.outputShape[0];
      expectClose(measured(rows, 7 * width).values, values);
    });
  }

  it("probabilities give what their scores give", () => {
    const { loss, outputShape, outputs, targets, values } = fixture.cases[1];
    const counter = counterOf(loss, outputShape, "probabilities");
    const [classCount] = outputShape;
    const shares = outputs.map((score, index) => {
      const row = outputs.slice(index - (index % classCount), index - (index % classCount) + classCount);
      return Math.exp(score) / row.reduce((sum, each) => sum + Math.exp(each), 0);
    });
    counter.add(Float32Array.from(shares), Int32Array.from(targets));
    expectClose(counter.measured().values, values);
  });

  it("an ignored class counts nowhere", () => {
    const loss = { kind: "cross_entropy", ignoreIndex: -1 } as const;
    const rows = { loss, outputShape: [2], outputs: [3, 1, 1, 3, 9, 0, 0, 9], targets: [0, 1, -1, -1] };
    const { values, confusion } = measured(rows);
    expect([values.accuracy, values.f1, values.auc]).to.deep.equal([1, 1, 1]);
    expect(confusion).to.deep.equal({ classCount: 2, counts: [1, 0, 0, 1] });
  });

  it("what is not defined is left out: areas of one class, labels that are neither, R² of one row, anything of no rows", () => {
    const one = measured({ loss: { kind: "cross_entropy" }, outputShape: [2], outputs: [3, 1, 1, 3], targets: [0, 0] });
    expect(Object.keys(one.values)).to.deep.equal(["accuracy", "f1", "log_loss"]);
    const soft = {
      loss: { kind: "binary_cross_entropy" },
      outputShape: [1],
      outputs: [1, -1],
      targets: [0.25, 0],
    } as const;
    expect(measured(soft).values).to.deep.equal({});
    const single = measured({ loss: { kind: "mse" }, outputShape: [1], outputs: [1], targets: [3] });
    expect(single.values).to.deep.equal({ mae: 2, mse: 4 });
    for (const kind of ["mse", "cross_entropy", "binary_cross_entropy", "kl_divergence", "next_token"] as const) {
      expect(counterOf({ kind }, [2], "scores").measured().values, kind).to.deep.equal({});
    }
  });

  it("shares are measured by the probabilities, not by the scores", () => {
    const { values } = measured({
      loss: { kind: "kl_divergence" },
      outputShape: [2],
      outputs: [5, 5, Math.log(3), 0],
      targets: [0.5, 0.5, 0.5, 0.5],
    });
    expect(values.mae).to.be.closeTo(0.125, 1e-6);
  });

  it("every value has a name in the table", () => {
    const seen = new Set(fixture.cases.flatMap(({ values }) => Object.keys(values)));
    expect([...seen].sort()).to.deep.equal(Object.keys(metricNames).sort());
  });

  it("more classes than fit have no matrix, and no area", () => {
    const classCount = 5000;
    const outputs = Array.from({ length: 2 * classCount }, (_, index) => index % 17);
    const { values, confusion } = measured({
      loss: { kind: "cross_entropy" },
      outputShape: [classCount],
      outputs,
      targets: [3, 16],
    });
    expect(confusion).to.equal(undefined);
    expect(values).to.have.all.keys("accuracy", "top5_accuracy", "f1", "log_loss");
  });
});

describe("the area under the ROC curve", () => {
  const scores = fc.array(fc.record({ score: fc.integer({ min: -9, max: 9 }), isPositive: fc.boolean() }));

  it("is the share of pairs in the right order, ties counted half", () => {
    fc.assert(
      fc.property(scores, (rows) => {
        const counter = new RocAucCounter(1);
        for (const { score, isPositive } of rows) counter.add(0, score, isPositive);
        const pairs = rows
          .flatMap((a) => rows.map((b) => [a, b] as const))
          .filter(([a, b]) => a.isPositive && !b.isPositive);
        const won = pairs.map(([a, b]) => (a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0));
        const needed = won.length === 0 ? undefined : won.reduce<number>((sum, each) => sum + each, 0) / won.length;
        const seen = counter.mean();
        if (needed === undefined) expect(seen).to.equal(undefined);
        else expect(seen).to.be.closeTo(needed, 1e-12);
      }),
    );
  });

  it("of more scores than are kept differs by less than a thousandth, at the ends too", () => {
    const curveCount = 4096;
    const rows = 2000;
    const odds = (row: number) => ((row * 7919) % rows) / 100 - 10;
    const isPositive = (row: number) => odds(row) + 3 * Math.sin(row) > 0 !== (row % 5 === 0);
    const [binned, exact] = [new RocAucCounter(curveCount), new RocAucCounter(1)];
    for (let row = 0; row < rows; row++) {
      const value = row % 100 === 0 ? Infinity : row % 101 === 0 ? -Infinity : odds(row);
      binned.add(0, value, isPositive(row));
      exact.add(0, value, isPositive(row));
    }
    expect(binned.mean()).to.be.closeTo(exact.mean()!, 1e-3);
  });
});
