import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { Random } from "../../lib/random.ts";
import type { Device } from "../../services/trainer/engine/device.ts";
import type { TrainingProgress } from "../../services/trainer/engine/training-figures.ts";
import type { Loss } from "../../services/trainer/graph/losses/loss.ts";
import type { NetworkSpec } from "../../services/trainer/graph/network-spec.ts";
import { useSoftwareVulkan } from "../inference/software-vulkan.ts";
import { trainOn } from "./train-on.ts";

describe("a training on a device", () => {
  it("says that it was the CPU, which leaves nothing to another", async () => {
    const { outcome, epochs } = await trained("cpu", { kind: "mse" });
    expect(outcome).to.include({ device: "cpu" });
    expect(epochs.map(({ device }) => device)).to.deep.equal(["cpu", "cpu"]);
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
    expect(device.epochs.map((told) => told.device)).to.deep.equal(["webgpu", "webgpu"]);
    expect(device.outcome.leftToCpu).to.deep.equal([]);
    for (const [index, { trainingLoss, validationLoss }] of host.epochs.entries()) {
      expect(device.epochs[index].trainingLoss).to.be.closeTo(trainingLoss, 1e-5);
      expect(device.epochs[index].validationLoss).to.be.closeTo(validationLoss!, 1e-5);
    }
  });

  it("has the CPU's losses of a network with statistics of batches and maxima", async () => {
    const [device, host] = [await convolved("webgpu"), await convolved("cpu")];
    expect(device.outcome.leftToCpu).to.deep.equal([]);
    for (const [index, { trainingLoss, validationLoss }] of host.epochs.entries()) {
      expect(device.epochs[index].trainingLoss).to.be.closeTo(trainingLoss, 1e-4);
      expect(device.epochs[index].validationLoss).to.be.closeTo(validationLoss!, 1e-4);
    }
  });

  it("says what it has left to the CPU", async () => {
    const { outcome } = await trained("webgpu", { kind: "cross_entropy" });
    expect(outcome.leftToCpu).to.deep.equal(["Cast", "LogSoftmax"]);
  });
});

function convolved(device: Device) {
  const layers = [
    // Without a bias, whose gradient would be nothing but rounding.
    { kind: "conv", outputChannels: 4, kernel: [3, 3], padding: [1, 1], bias: false },
    { kind: "batch_norm" },
    { kind: "relu" },
    { kind: "max_pool", kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
    { kind: "flatten" },
    { kind: "linear", outputSize: 2 },
  ] as const;
  return trained(device, { kind: "mse" }, { kind: "layers", inputShape: [1, 6, 6], layers });
}

/** Two epochs over 20 rows, 2 of which are held out, so that the last batch of an epoch is a smaller one. */
async function trained(
  device: Device,
  loss: Loss,
  network: NetworkSpec = { kind: "mlp", inputShape: [3], hiddenSizes: [8], outputSize: 2 },
) {
  const random = new Random(3);
  const epochs: TrainingProgress[] = [];
  const featureCount = network.kind === "mlp" ? 3 : 36;
  const targets = loss.kind === "mse" ? new Float32Array(40).map(() => random.uniform()) : new Int32Array(20).fill(1);
  const outcome = await trainOn(
    {
      network,
      loss,
      optimizer: { kind: "adam", learningRate: 0.02 },
      epochCount: 2,
      batchRows: 8,
      seed: 5,
      validationShare: 0.1,
      threadCount: 1,
      device,
    },
    { rowCount: 20, featureCount, features: new Float32Array(20 * featureCount).map(() => random.uniform()), targets },
    { onProgress: (progress) => void (progress.kind === "epoch" && epochs.push(progress)) },
  );
  return { outcome, epochs };
}
