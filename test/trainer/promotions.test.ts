import { expect } from "chai";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { RunningTrainer } from "./running-trainer.ts";
import { thirdsSpec } from "./thirds.ts";

describe("an alias of a training", function () {
  this.timeout(60_000);
  const running = new RunningTrainer();
  let spec: TrainSpec;

  before(async () => {
    await running.start();
    spec = { ...(await thirdsSpec(running)), targetAlias: "canary" };
  });
  after(() => running.remove());

  const alias = "models/thirds/aliases/canary";
  const target = async () => (await running.registry.unary("GetAlias", { name: alias })).targets[0]!.version;
  const log = async (name: string) => (await running.events(name)).flatMap(({ logged }) => logged?.text ?? []);

  it("moves where the gate is passed, and the job says so", async () => {
    const job = await running.ended(
      await running.submit({ ...spec, gate: { metric: "validation_loss", atMost: 1000 } }),
    );
    expect(job.promotion).to.include({ alias, moved: true, reason: "" });
    expect(job.promotion!.message).to.include("needed: at most 1000");
    expect(await target()).to.equal(1);
  });

  it("stays where the gate is not passed: the version is registered, the job has succeeded, and says why", async () => {
    const name = await running.submit({ ...spec, gate: { metric: "validation_accuracy", atLeast: 1.1 } });
    const job = await running.ended(name);
    expect(job).to.include({ state: "STATE_SUCCEEDED", version: "models/thirds/versions/2" });
    expect(job.promotion).to.include({ alias, moved: false, reason: "GATE_NOT_PASSED" });
    expect(job.promotion!.message).to.match(/validation_accuracy is [\d.]+; needed: at least 1.1/);
    expect(await target()).to.equal(1);
    expect((await log(name)).join("\n")).to.include(`${alias} was not moved`);
  });

  it("stays where the model's compatibility mode refuses the version, in the same way", async () => {
    const layers = [{ linear: { inputSize: 2, outputSize: 4 } }];
    const job = await running.ended(await running.submit({ ...spec, layers }));
    expect(job).to.include({ state: "STATE_SUCCEEDED", version: "models/thirds/versions/3" });
    expect(job.promotion).to.include({ alias, moved: false, reason: "INCOMPATIBLE" });
    expect(await target()).to.equal(1);
  });
});
