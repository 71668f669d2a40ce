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

  it("moves to what is better than its version on the same rows, held out or of another dataset, and to nothing else", async () => {
    const rows = Array.from({ length: 60 }, (_, i) => `${i % 6},${i % 5},${Math.floor((i % 6) / 2)}`).join("\n");
    const dataset = await running.uploadDataset(rows);
    const other = await running.uploadDataset(rows.split("\n").slice(0, 12).join("\n"));
    const learning = { ...spec, model: "models/ordered", dataset };
    const ended = async (more: TrainSpec) => running.ended(await running.submit({ ...learning, ...more }));
    const better = (metric: string, of = "") => ({ metric, betterThanAlias: true, dataset: of });

    // There is nothing to be better than yet.
    const first = await ended({ gate: better("validation_log_loss") });
    expect(first.promotion, JSON.stringify(first)).to.include({ moved: true });
    const same = await ended({ gate: better("validation_log_loss") });
    expect(same.promotion).to.include({ moved: false, reason: "GATE_NOT_PASSED" });
    expect(same.promotion!.message).to.match(
      /validation_log_loss is [\d.]+; needed: less than the [\d.]+ of models\/ordered\/versions\/1/,
    );
    const longer = await ended({ epochs: 40, gate: better("validation_log_loss") });
    expect(longer.promotion, JSON.stringify(longer.promotion)).to.include({ moved: true });
    const shorter = await ended({ gate: better("log_loss", other) });
    expect(shorter.promotion!.message).to.match(
      /^log_loss is [\d.]+; needed: less than the [\d.]+ of models\/ordered\/versions\/3/,
    );
    const [, seen, needed] = same.promotion!.message.match(/is ([\d.]+); needed: less than the ([\d.]+)/)!;
    // The same weights, measured in the same way.
    expect(seen).to.equal(needed);
  });
});
