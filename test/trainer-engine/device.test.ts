import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { Random } from "../../lib/random.ts";
import type { Device } from "../../services/trainer/engine/device.ts";
import type { TrainingProgress } from "../../services/trainer/engine/training-figures.ts";
import type { Loss } from "../../services/trainer/graph/losses/loss.ts";
import { useSoftwareVulkan } from "../inference/software-vulkan.ts";
import { trainOn } from "./train-on.ts";

describe("a training on a device", () => {
  it("says that it was the CPU, which leaves nothing to another", async () => {
    const { outcome } = await trained("cpu", { kind: "mse" });
    expect(outcome).to.include({ device: "cpu" });
    expect(outcome.leftToCpu).to.deep.equal([]);
  });

  it("is refused where there is none: nothing else takes its place", async () => {
    const fault = await trained("cuda", { kind: "mse" }).catch((thrown: unknown) => thrown);
    // Where there is one, it is that.
    if (fault instanceof ServiceError) {
      expect(fault.reason).to.equal("UNSUPPORTED");
      expect(fault.message).to.match(/^the device cuda cannot be used here: /);
    } else expect(fault).to.have.nested.property("outcome.device", "cuda");
  });
});

describe("a training with WebGPU (on software Vulkan, where there is some)", function () {
  this.timeout(120_000);
  let restore: (() => void) | undefined;

  before(function () {
    restore = useSoftwareVulkan();
    if (restore === undefined) this.skip();
  });
  after(() => restore?.());

  it("has the CPU's losses, and leaves it nothing", async () => {
    const [device, host] = [await trained("webgpu", { kind: "mse" }), await trained("cpu", { kind: "mse" })];
    expect(device.outcome).to.include({ device: "webgpu" });
    expect(device.outcome.leftToCpu).to.deep.equal([]);
    for (const [index, { trainingLoss, validationLoss }] of host.epochs.entries()) {
      expect(device.epochs[index].trainingLoss).to.be.closeTo(trainingLoss, 1e-5);
      expect(device.epochs[index].validationLoss).to.be.closeTo(validationLoss!, 1e-5);
    }
  });

  it("says what it has left to the CPU", async () => {
    const { outcome } = await trained("webgpu", { kind: "cross_entropy" });
    expect(outcome.leftToCpu).to.deep.equal(["Cast", "LogSoftmax"]);
  });
});

/** Two epochs over 20 rows, 2 of which are held out, so that the last batch of an epoch is a smaller one. */
async function trained(device: Device, loss: Loss) {
  const random = new Random(3);
  const epochs: TrainingProgress[] = [];
  const targets = loss.kind === "mse" ? new Float32Array(40).map(() => random.uniform()) : new Int32Array(20).fill(1);
  const outcome = await trainOn(
    {
      network: { kind: "mlp", inputShape: [3], hiddenSizes: [8], outputSize: 2 },
      loss,
      optimizer: { kind: "adam", learningRate: 0.02 },
      epochCount: 2,
      batchRows: 8,
      seed: 5,
      validationShare: 0.1,
      threadCount: 1,
      device,
    },
    { rowCount: 20, featureCount: 3, features: new Float32Array(60).map(() => random.uniform()), targets },
    { onProgress: (progress) => void (progress.kind === "epoch" && epochs.push(progress)) },
  );
  return { outcome, epochs };
}
