import { readFileSync } from "node:fs";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { openSession, type RuntimeTensor } from "../../services/trainer/engine/runtime.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";
import {
  checkLoss,
  checkTargets,
  type Loss,
  lossValues,
  targetForm,
} from "../../services/trainer/graph/losses/loss.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { fileOf } from "../repository.ts";

/** What test/fixtures/losses-torch.py has written. */
interface Fixture {
  readonly output: readonly (readonly number[])[];
  readonly cases: readonly {
    readonly loss: Loss;
    readonly targets: readonly (number | readonly number[])[];
    readonly value: number;
    readonly gradient: readonly (readonly number[])[];
  }[];
}

const fixture: Fixture = JSON.parse(readFileSync(fileOf("test/fixtures/losses-torch.json"), "utf8"));
const network = networkOf({ kind: "layers", layers: [{ kind: "linear", inputSize: 1, outputSize: 3 }] });

describe("a loss", () => {
  for (const { loss, targets, value, gradient } of fixture.cases) {
    it(`and its gradient are PyTorch's: ${JSON.stringify(loss)}`, async () => {
      checkLoss(loss, network);
      checkTargets(loss, network, { rowCount: targets.length, targets: targetsOf(loss, targets) });
      const seen = await lossOf(loss, fixture.output, targets);
      expect(seen.value).to.be.closeTo(value, 1e-6 * Math.max(1, Math.abs(value)));
      for (const [index, slope] of gradient.flat().entries()) {
        expect(seen.gradient[index], `gradient ${index}`).to.be.closeTo(slope, 1e-6);
      }
    });
  }

  it("counts the rows that are right, of those that count", async () => {
    const labels = [2, 1, 1, 2];
    expect((await lossOf({ kind: "cross_entropy" }, fixture.output, labels)).correctCount).to.equal(3);
    const loss = { kind: "cross_entropy", ignoreIndex: 2 } as const;
    expect((await lossOf(loss, fixture.output, labels)).correctCount).to.equal(1);
  });

  it("is 0 where nothing of a batch counts, and moves nothing", async () => {
    const { value, gradient } = await lossOf({ kind: "cross_entropy", ignoreIndex: 9 }, fixture.output, [9, 9, 9, 9]);
    expect([value + 0, new Set(Array.from(gradient, Math.abs))]).to.deep.equal([0, new Set([0])]);
  });

  for (const [loss, text] of [
    [{ kind: "huber", delta: 0 }, "loss.delta is 0; needed: a finite number above 0"],
    [{ kind: "cross_entropy", labelSmoothing: 1 }, "loss.label_smoothing is 1; needed: a number in [0, 1)"],
    [{ kind: "cross_entropy", classWeights: [1] }, "loss.class_weights is a list of 1; needed: 3, one for each class"],
    [{ kind: "cross_entropy", classWeights: [1, -1, 1] }, "loss.class_weights[1] is -1"],
    [{ kind: "cross_entropy", ignoreIndex: 0.5 }, "loss.ignore_index is 0.5; needed: a whole number"],
    [{ kind: "hinge" }, "loss.kind is hinge; needed: one of mse, mae, huber, cross_entropy, binary_cross_entropy"],
  ] as const) {
    it(`is refused where it cannot be: ${JSON.stringify(loss)}`, () => {
      expect(() => checkLoss(loss as Loss, network)).to.throw(ServiceError, text);
    });
  }

  for (const [loss, targets, text] of [
    [
      { kind: "cross_entropy", ignoreIndex: -1 },
      [0, -2],
      "the label of row 1 is -2; needed: a class index in [0, 2], or -1",
    ],
    [{ kind: "binary_cross_entropy" }, [0, 0.5, 1, 0, 1.5, 0], "target 1 of row 1 is 1.5; needed: a number in [0, 1]"],
    [{ kind: "kl_divergence" }, [1, 0, 0, 0.5, 0.2, 0.2], "the targets of row 1 are [0.5, 0.2"],
    [{ kind: "kl_divergence" }, [1, 0, 0, 1.5, -0.5, 0], "the targets of row 1 are [1.5, -0.5, 0]"],
    [{ kind: "mae" }, [1, 2], "the dataset's targets are 1 wide; needed: 3 wide"],
  ] as const) {
    it(`refuses targets that it cannot take: ${JSON.stringify(loss)} with ${targets}`, () => {
      const given = loss.kind === "cross_entropy" ? Int32Array.from(targets) : Float32Array.from(targets);
      expect(() => checkTargets(loss, network, { rowCount: 2, targets: given })).to.throw(ServiceError, text);
    });
  }
});

/** The loss of a network whose last layer gives `output`, and its gradient with respect to that, in double precision. */
async function lossOf(loss: Loss, output: Fixture["output"], targets: readonly (number | readonly number[])[]) {
  const graph = new GraphBuilder("loss");
  const rows = output.length;
  const scores = graph.input("scores", "FP64", ["rows", 3]);
  const { dataType, rowShape } = targetForm(loss, network);
  const wanted = graph.input("targets", dataType, ["rows", ...rowShape]);
  const known = dataType === "INT32" ? wanted : graph.cast(wanted, "FP64");
  const { mean, correctCount } = lossValues(graph, loss, scores, known);
  const [slope] = gradients(graph, mean, [scores]);
  graph.output("mean", mean);
  graph.output("slope", slope!);
  if (correctCount !== undefined) graph.output("correct_count", correctCount);
  const session = await openSession(writeModel(modelOf(graph.graph())), 1);
  try {
    const outputs = await session.run({
      scores: { dataType: "FP64", shape: [rows, 3], elements: Float64Array.from(output.flat()) },
      targets: { dataType, shape: [rows, ...rowShape], elements: targetsOf(loss, targets) } as RuntimeTensor,
    });
    return {
      value: outputs.mean!.elements[0]!,
      gradient: outputs.slope!.elements,
      correctCount: outputs.correct_count?.elements[0],
    };
  } finally {
    await session.release();
  }
}

function targetsOf(loss: Loss, targets: readonly (number | readonly number[])[]): Float32Array | Int32Array {
  const numbers = targets.flat();
  return loss.kind === "cross_entropy" ? Int32Array.from(numbers) : Float32Array.from(numbers);
}
