import { expect } from "chai";
import fc from "fast-check";
import { axisOf, even } from "../../services/trainer/card/axis.ts";
import { lossChart } from "../../services/trainer/card/loss-chart.ts";
import { type CardMaterial, modelCard } from "../../services/trainer/card/model-card.ts";

const material: CardMaterial = {
  model: "digits",
  job: "jobs/j1",
  parentVersion: "models/digits/versions/3",
  metrics: { validation_accuracy: 0.98765432, steps: 12 },
  epochs: [
    { epoch: 1, trainingLoss: 2, validationLoss: 1.5 },
    { epoch: 2, trainingLoss: 1, validationLoss: 0.5 },
  ],
  confusion: { classCount: 2, counts: [5, 1, 0, 4] },
  classNames: ["no", "yes"],
  data: { dataset: "artifacts/ab", format: "csv", rows: "10" },
  columns: [{ name: "age", role: "feature", encoding: "standard" }],
  split: { kind: "random", seed: "7" },
  hyperParameters: { "optimizer.kind": "adam" },
  environment: { device: "cpu", threads: "2" },
};

describe("the model card", () => {
  it("has the metrics, losses, confusion matrix, data, split, hyper-parameters and environment", () => {
    const card = modelCard(material);
    const lines = card.split("\n");
    expect(lines.filter((line) => line.startsWith("#"))).to.deep.equal([
      ..."# digits|## Metrics|## Losses|## Confusion matrix|## Data|## Split|## Hyper-parameters|## Environment".split(
        "|",
      ),
    ]);
    expect(card).to.include("from models/digits/versions/3 on");
    expect(lines).to.include.members(["| validation\\_accuracy | 0.987654 |", "| no | 5 | 1 |", "| yes | 0 | 4 |"]);
    expect(lines).to.include.members([
      "| age | feature | standard |",
      "| dataset | artifacts/ab |",
      "| optimizer.kind | adam |",
    ]);
    expect(lines.filter((line) => line.startsWith("<svg") && line.endsWith("</svg>"))).to.have.length(1);
  });

  it("leaves out what there is nothing of", () => {
    const card = modelCard({ ...material, confusion: undefined, epochs: [{ epoch: 1, trainingLoss: Number.NaN }] });
    expect(card).to.not.include("Confusion").and.to.not.include("Losses");
  });

  it("shows names from a dataset as they are: no markup, no further cells or lines", () => {
    const name = "<script>alert(1)</script> | **x**\n# y";
    const card = modelCard({
      ...material,
      classNames: [name, "b"],
      columns: [{ name, role: "feature", encoding: "" }],
    });
    expect(card)
      .to.not.include("<script")
      .and.to.not.include("\n# y")
      .and.to.not.match(/[^\\]\*\*x/);
    const rows = card.split("\n").filter((line) => line.startsWith("|"));
    for (const row of rows.filter((line) => line.includes("script"))) {
      expect(row.match(/(?<!\\)\|/g)).to.have.length.within(4, 4);
    }
  });

  it("is never larger than the registry takes", () => {
    const long = "<".repeat(2000);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`${index}${long}`, long]));
    const card = modelCard({
      ...material,
      metrics: Object.fromEntries(Object.keys(many).map((name) => [name.slice(0, 128), 1 / 3])),
      epochs: Array.from({ length: 512 }, (_, index) => ({ epoch: index + 1, trainingLoss: 1, validationLoss: 2 })),
      confusion: { classCount: 64, counts: Array<number>(64 * 64).fill(1_000_000) },
      classNames: Array.from({ length: 64 }, () => long),
      columns: Array.from({ length: 5000 }, () => ({ name: long, role: "feature", encoding: long })),
      data: many,
      split: many,
      hyperParameters: many,
      environment: many,
    });
    expect(card.length).to.be.below(262_144);
  });
});

describe("the chart of losses", () => {
  it("draws a curve for each kind of loss, through the finite ones", () => {
    const svg = lossChart([
      { epoch: 1, trainingLoss: 4, validationLoss: 3 },
      { epoch: 2, trainingLoss: 2, validationLoss: Number.NaN },
      { epoch: 3, trainingLoss: 1, validationLoss: 2 },
    ])!;
    const curves = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points]) => points!.split(" "));
    expect(curves.map(({ length }) => length)).to.deep.equal([3, 2]);
    expect(svg).to.not.match(/NaN|Infinity|undefined|\n/);
    const heights = curves[0]!.map((point) => Number(point.split(",")[1]));
    expect(heights).to.deep.equal([...heights].sort((a, b) => a - b));
  });

  it("keeps all points inside the image, whatever the losses", () => {
    const loss = fc.double({ noNaN: true, min: -1e6, max: 1e6 });
    fc.assert(
      fc.property(fc.array(fc.tuple(loss, loss), { minLength: 1, maxLength: 40 }), (losses) => {
        const svg = lossChart(
          losses.map(([trainingLoss, validationLoss], index) => ({ epoch: index + 1, trainingLoss, validationLoss })),
        )!;
        for (const [, points] of svg.matchAll(/<polyline points="([^"]*)"/g)) {
          for (const point of points!.split(" ")) {
            const [x, y] = point.split(",").map(Number);
            expect(x).to.be.within(64, 624);
            expect(y).to.be.within(28, 280);
          }
        }
      }),
    );
  });
});

describe("an axis", () => {
  it("has round marks around all values", () => {
    expect(even(0.13, 0.87).ticks).to.deep.equal([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(even(5, 5).ticks).to.have.length.above(1);
    expect(axisOf([0, 0]).ticks).to.include(0);
    for (const value of [5e-324, 1e-310, 1e300]) expect(axisOf([value]).placeOf(value)).to.be.within(0, 1);
  });

  it("counts orders of magnitude where positive values are far apart", () => {
    const axis = axisOf([0.001, 5]);
    expect(axis.ticks).to.deep.equal([0.001, 0.01, 0.1, 1, 10]);
    expect(axis.placeOf(0.1)).to.be.closeTo(0.5, 1e-9);
    expect(axisOf([-1, 100]).ticks).to.include(0);
  });
});
