import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { Signature } from "../../lib/tensor.ts";
import { ConnectedNode } from "./connected-node.ts";
import { describeModelsOnEachStore, ModelCalls, plain } from "./models-of-a-store.ts";
import { faultOf, upload } from "./running-registry.ts";
import { signedModel } from "./signed-model.ts";

const [x, y] = [plain.inputs[0]!, plain.outputs[0]!];
/** Clients of `plain` can call it; its own clients cannot call `plain`. */
const withScores: Signature = { ...plain, outputs: [y, { name: "scores", dataType: "FP32", shape: [3] }] };
const withMask: Signature = { ...plain, inputs: [x, { name: "mask", dataType: "BOOL", shape: [1] }] };

describeModelsOnEachStore("the gate before an alias", (own) => {
  const calls = new ModelCalls(own);
  const refusal = async (call: Promise<unknown>) => {
    const fault = await faultOf(call);
    expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "INCOMPATIBLE" });
    return fault;
  };
  const newest = async () => (await calls.revisions())[0]!;

  it("refuses versions that are not READY, as targets and as mirrors, unless forced", async () => {
    await calls.publish(plain, plain);
    await calls.deprecate(1);
    for (const alias of [{ targets: [{ version: 1 }] }, { targets: [{ version: 2 }], mirrors: [{ version: 1 }] }]) {
      const fault = await faultOf(calls.move([], {}, alias));
      expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "VERSION_STATE" });
      expect(fault.message).to.contain(calls.version(1)).and.contain("DEPRECATED").and.contain("force");
      expect(fault.metadata).to.include({ version: calls.version(1), state: "DEPRECATED" });
      await calls.move([], { force: true }, alias);
      expect(await newest()).to.include({ forced: true });
      await calls.remove();
    }
  });

  it("lets a version be forced before its files are there, and never one that is rejected or deleted", async () => {
    await calls.publish(plain);
    const missing = { variants: [{ artifact: `artifacts/${"1".repeat(64)}` }] };
    await calls.registry.unary("CreateVersion", { parent: own.name, version: missing, allowMissingArtifacts: true });
    expect(await faultOf(calls.move([2]))).to.include({ reason: "VERSION_STATE" });
    await calls.move([2], { force: true });
    const artifact = await upload(calls.registry, Buffer.from(`not a model ${own.id}`));
    const rejected = { parent: own.name, version: { variants: [{ artifact }] } };
    for (let count = 0; count < 2; count++) await faultOf(calls.registry.unary("CreateVersion", rejected));
    await calls.registry.unary("DeleteVersion", { name: calls.version(3) });
    for (const [version, state] of [
      [3, "DELETED"],
      [4, "REJECTED"],
    ] as const) {
      for (const alias of [{ targets: [{ version }] }, { targets: [{ version: 1 }], mirrors: [{ version }] }]) {
        const fault = await faultOf(calls.move([], { force: true }, alias));
        expect(fault, state).to.include({ code: status.FAILED_PRECONDITION, reason: "VERSION_STATE" });
        expect(fault.message).to.contain(`${calls.version(version)} is ${state}`);
      }
    }
  });

  it("leaves alone what an alias leads to already, also where that was deprecated since", async () => {
    await calls.publish(plain, plain);
    await calls.move([1]);
    await calls.deprecate(1);
    await calls.move([1, 2]);
    await calls.move([2], {}, { mirrors: [{ version: 1 }] });
    expect((await calls.revisions()).map(({ forced }) => forced)).to.deep.equal([false, false, false]);
  });

  it("lets pass what clients of the present version can call, and refuses the way back with every difference", async () => {
    await calls.publish(plain, withScores, { ...withMask, outputs: [{ ...y, shape: ["batch", "classes"] }] });
    await calls.move([1]);
    await calls.move([2]);
    const { message, metadata } = await refusal(calls.move([3]));
    expect(message)
      .to.contain("3 differences break BACKWARD")
      .and.contain(`${calls.version(3)} against ${calls.version(2)}`);
    expect(message)
      .to.contain('input "mask", BOOL [1], is new and must be given')
      .and.contain('output "y" has size classes instead of 2 on axis 1')
      .and.contain('output "scores" is gone')
      .and.contain("CheckCompatibility");
    expect(metadata).to.include({ alias: calls.alias, mode: "BACKWARD", differences: "3" });
    expect(metadata.difference_1).to.equal(
      `${calls.version(3)} against ${calls.version(2)}: REQUIRED_INPUT_ADDED inputs.mask`,
    );
    expect((await refusal(calls.rollback())).message).to.contain('output "scores" is gone');
    expect((await calls.get()).revision).to.equal(2);
    await calls.rollback({ force: true });
    expect(await newest()).to.include({ revision: 3, forced: true });
  });

  it("does not count force where nothing had to be forced", async () => {
    await calls.publish(plain);
    await calls.move([1], { force: true });
    expect(await newest()).to.include({ forced: false });
  });

  it("compares each version that comes new with every one that is there, and none that is there", async () => {
    await calls.publish(plain, withScores, withMask);
    await calls.move([1]);
    await calls.move(
      [],
      {},
      {
        targets: [
          { version: 1, weight: 90 },
          { version: 2, weight: 10 },
        ],
      },
    );
    // A canary may grow and shrink: clients get answers of both already.
    await calls.move(
      [],
      {},
      {
        targets: [
          { version: 1, weight: 10 },
          { version: 2, weight: 90 },
        ],
      },
    );
    await calls.move([1]);
    await calls.move([1, 2]);
    const { message } = await refusal(calls.move([1, 2, 3]));
    expect(message)
      .to.contain(`against ${calls.version(1)}`)
      .and.contain(`against ${calls.version(2)}`);
    // Nobody gets answers of a mirror.
    await calls.move([1], {}, { mirrors: [{ version: 3 }] });
  });

  for (const [mode, forward, backward] of [
    ["NONE", true, true],
    ["BACKWARD", true, false],
    ["FORWARD", false, true],
    ["FULL", false, false],
  ] as const) {
    it(`keeps to the mode ${mode}`, async () => {
      await calls.publish(plain, withScores);
      await calls.setMode(mode);
      for (const [from, to, allowed] of [
        [1, 2, forward],
        [2, 1, backward],
      ] as const) {
        await calls.move([from], { force: true });
        if (allowed) await calls.move([to]);
        else expect((await refusal(calls.move([to]))).metadata).to.include({ mode });
      }
    });
  }

  it("compares with everything that the alias has ever targeted where the mode is TRANSITIVE", async () => {
    await calls.publish(withScores, plain, { ...withScores }, plain);
    await calls.move([1]);
    await calls.move([2], { force: true });
    expect((await calls.move([4])).revision).to.equal(3);
    await calls.setMode("BACKWARD_TRANSITIVE");
    const { message } = await refusal(calls.move([2]));
    expect(message).to.contain(`${calls.version(2)} against ${calls.version(1)}: output "scores" is gone`);
    await calls.move([3]);
    await calls.remove();
    // Of versions with equal signatures the newest one stands for all; a removal forgets nothing.
    expect((await refusal(calls.move([2]))).message).to.contain(`against ${calls.version(3)}`);
    for (const version of [1, 3]) {
      await calls.deprecate(version);
      await calls.registry.unary("DeleteVersion", { name: calls.version(version) });
    }
    await calls.move([2]);
  });

  it("compares with nothing where an alias is made, and with what it led to last where it is made again", async () => {
    await calls.publish(plain, withMask, { ...withMask });
    await calls.move([1, 2]);
    await calls.remove();
    // Its clients had answers of this one.
    await calls.move([2]);
    await calls.move([1], { force: true });
    await calls.remove();
    expect((await refusal(calls.move([2]))).message).to.contain(`${calls.version(2)} against ${calls.version(1)}`);
    await calls.move([1]);
  });

  it("refuses what no connected node can run, in every mode but NONE", async () => {
    const { registry } = calls;
    await calls.publish(plain);
    const request = (executionProviders: string[]) => ({ ...{ id: "gpu", precision: "fp16" }, executionProviders });
    const artifact = await upload(registry, signedModel(plain, 900));
    const version = { variants: [{ artifact, ...request(["tensorrt"]) }] };
    await registry.unary("CreateVersion", { parent: own.name, version }, { timeoutMs: 10_000 });
    await calls.move([2]);
    await calls.remove();

    const node = new ConnectedNode(own.running.control, `n-${own.id}`);
    const capabilities = { executionProviders: ["cpu"], opsets: { "ai.onnx": 17 } };
    await node.report({}, { capabilities });
    await node.replies.until("first assignment", () => node.assigned);
    const { message, metadata } = await refusal(calls.move([2]));
    expect(message).to.contain("no connected node runs operator set 18 of ai.onnx").and.contain("tensorrt");
    expect(metadata.difference_1).to.equal(`${calls.version(2)}: OPSET_UNSUPPORTED opsets.ai.onnx`);
    expect((await refusal(calls.move([1]))).metadata.differences).to.equal("1");
    await calls.setMode("NONE");
    await calls.move([2]);
    node.leave();
  });
});
