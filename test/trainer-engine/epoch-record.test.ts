import { expect } from "chai";
import { type EpochJudgement, EpochRecord } from "../../services/trainer/engine/epoch-record.ts";
import type { TrainingProgress } from "../../services/trainer/engine/training-figures.ts";

const epochOf = (epoch: number, validationLoss: number, accuracy = 0): TrainingProgress => ({
  kind: "epoch",
  epoch,
  step: epoch,
  stepCount: 1000,
  trainingLoss: 1,
  validationLoss,
  metrics: { accuracy },
  learningRate: 0.1,
  samplesPerSecond: 1,
  etaSeconds: 1,
  waitedShare: 0,
  device: "cpu" as const,
});

/** Adds epochs with such losses, whose only tensor holds the epoch's number. */
function recordOf(
  judgement: EpochJudgement,
  losses: readonly number[],
  accuracies: readonly number[] = [],
): EpochRecord {
  const record = new EpochRecord(judgement);
  for (const [index, loss] of losses.entries()) {
    const elements = Float32Array.of(index + 1);
    record.add(epochOf(index + 1, loss, accuracies[index]), { a: { dataType: "FP32", shape: [1], elements } });
  }
  return record;
}

const stopping = (patienceEpochs: number, leastChange = 0) =>
  ({ earlyStopping: { metric: "validation_loss", patienceEpochs, leastChange } }) as const;

describe("the record of epochs", () => {
  it("is stale after so many epochs without a better one", () => {
    expect(recordOf(stopping(2), [3, 2, 2.5]).isStale).to.equal(false);
    expect(recordOf(stopping(2), [3, 2, 2.5, 2]).isStale).to.equal(true);
    expect(recordOf(stopping(2), [3, 2, 2.5, 1.9]).isStale).to.equal(false);
    expect(recordOf({}, [1, 2, 3, 4, 5]).isStale).to.equal(false);
  });

  it("counts only what is better by enough", () => {
    expect(recordOf(stopping(2, 0.5), [3, 2.6, 2.51]).isStale).to.equal(true);
    expect(recordOf(stopping(2, 0.5), [3, 2.6, 2.4]).isStale).to.equal(false);
  });

  it("takes a loss that is no number for no better one, first or later", () => {
    expect(recordOf(stopping(2), [Number.NaN, Number.NaN]).isStale).to.equal(true);
    expect(recordOf({ keepBest: true }, [Number.NaN, 2, Number.NaN]).chosen).to.include({ epoch: 2 });
    expect(recordOf({ keepBest: true }, [Number.NaN, Number.NaN]).chosen).to.include({ epoch: 2 });
  });

  it("chooses the last epoch, or the best with its tensors, the first of those that are as good", () => {
    const losses = [3, 1, 2, 1];
    expect(recordOf({}, losses).chosen).to.include({ epoch: 4 });
    expect([...recordOf({}, losses).bestTensors]).to.deep.equal([]);
    const best = recordOf({ keepBest: true }, losses);
    expect(best.chosen).to.include({ epoch: 2 });
    expect([...best.bestTensors]).to.deep.equal([["a", Float32Array.of(2)]]);
  });

  it("judges by an accuracy, of which more is better, where it is told to", () => {
    const earlyStopping = { metric: "validation_accuracy", patienceEpochs: 2, leastChange: 0 } as const;
    const record = recordOf({ earlyStopping, keepBest: true }, [1, 2, 3, 4], [0.5, 0.8, 0.8, 0.7]);
    expect(record.chosen).to.include({ epoch: 2 });
    expect(record.isStale).to.equal(true);
  });

  it("keeps the confusion matrix of the epoch that it chooses", () => {
    const chosen = (judgement: EpochJudgement) => {
      const record = new EpochRecord(judgement);
      for (const [index, loss] of [3, 1, 2].entries()) {
        record.add(epochOf(index + 1, loss), {}, { classCount: 1, counts: [index + 1] });
      }
      return record.history.confusion?.counts;
    };
    expect([chosen({}), chosen({ keepBest: true })]).to.deep.equal([[3], [2]]);
  });

  it("keeps one of many epochs in so many, evenly, and the same ones wherever it was interrupted", () => {
    const losses = Array.from({ length: 3000 }, (_, index) => 1 / (index + 1));
    const { history } = recordOf({}, losses);
    expect(history.stride).to.equal(8);
    expect(history.epochs.map(({ epoch }) => epoch)).to.deep.equal(Array.from({ length: 375 }, (_, i) => 8 * i + 1));
    const half = recordOf({}, losses.slice(0, 1500));
    const other = new EpochRecord({}, half.history, half.bestTensors);
    for (const [index, loss] of losses.slice(1500).entries()) other.add(epochOf(1501 + index, loss), {});
    expect(other.history).to.deep.equal(history);
  });
});
