import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { Signature } from "../../lib/tensor.ts";
import { ConnectedNode } from "./connected-node.ts";
import { describeModelsOnEachStore, ModelCalls, plain } from "./models-of-a-store.ts";
import { faultOf, publish, upload } from "./running-registry.ts";
import { signedModel } from "./signed-model.ts";

const [x, y] = [plain.inputs[0]!, plain.outputs[0]!];
const withScores: Signature = { ...plain, outputs: [y, { name: "scores", dataType: "FP32", shape: [3] }] };
const free: Signature = { ...plain, inputs: [{ ...x, shape: ["batch", "width"] }] };

describeModelsOnEachStore("CheckCompatibility", (own) => {
  const calls = new ModelCalls(own);
  const check = (version: number | string, against: readonly string[] = [], mode = "UNSPECIFIED") => {
    const request = { name: `${own.name}/versions/${version}`, against: [...against] };
    return calls.registry.unary("CheckCompatibility", { ...request, mode: `COMPATIBILITY_MODE_${mode}` as never });
  };
  const kinds = async (...request: Parameters<typeof check>) =>
    (await check(...request)).differences.map(({ against, kind }) => `${kind.replace("KIND_", "")} ${against}`);

  it("compares with what the alias default points at by the mode of the model, where nothing else is said", async () => {
    await calls.publish(withScores, plain);
    expect(await check(2)).to.deep.equal({
      compatible: true,
      mode: "COMPATIBILITY_MODE_BACKWARD",
      differences: [],
      truncated: false,
    });
    await calls.move([1]);
    expect(await check(2)).to.deep.equal({
      compatible: false,
      mode: "COMPATIBILITY_MODE_BACKWARD",
      differences: [
        {
          ...{ against: calls.version(1), kind: "KIND_OUTPUT_REMOVED", path: "outputs.scores" },
          ...{ oldValue: "FP32 [3]", newValue: "", breaksBackward: true, breaksForward: false },
          message: 'output "scores" is gone',
        },
      ],
      truncated: false,
    });
    await calls.setMode("FORWARD");
    const forward = await check(2);
    expect(forward).to.include({ compatible: true, mode: "COMPATIBILITY_MODE_FORWARD" });
    expect(forward.differences).to.have.length(1);
    expect(await check(2, [], "FULL")).to.include({ compatible: false, mode: "COMPATIBILITY_MODE_FULL" });
    expect(await check(2, [], "NONE")).to.include({ compatible: true, mode: "COMPATIBILITY_MODE_NONE" });
  });

  it("compares with versions by number and by alias, and with aliases, each version once", async () => {
    await calls.publish(plain, withScores, free, plain);
    await calls.move([1, 2]);
    const against = [`${own.name}/versions/default`, calls.alias, calls.version(3), calls.version(1)];
    expect(await kinds("default", against)).to.deep.equal([
      `OUTPUT_REMOVED ${calls.version(2)}`,
      `SIZE_FIXED ${calls.version(3)}`,
    ]);
    expect(await kinds(3, [calls.alias])).to.deep.equal([
      `SIZE_FREED ${calls.version(2)}`,
      `OUTPUT_REMOVED ${calls.version(2)}`,
      `SIZE_FREED ${calls.version(1)}`,
    ]);
  });

  it("compares with everything that an alias has ever targeted in a TRANSITIVE mode", async () => {
    await calls.publish(withScores, plain, plain);
    await calls.move([1]);
    await calls.move([2], { force: true });
    expect(await kinds(3, [calls.alias])).to.deep.equal([]);
    expect(await kinds(3, [calls.alias], "BACKWARD_TRANSITIVE")).to.deep.equal([`OUTPUT_REMOVED ${calls.version(1)}`]);
    await calls.remove();
    expect(await kinds(3, [calls.alias])).to.deep.equal([]);
    expect(await kinds(3, [], "FULL_TRANSITIVE")).to.deep.equal([`OUTPUT_REMOVED ${calls.version(1)}`]);
  });

  it("compares also with versions of another model", async () => {
    await calls.publish(plain);
    const other = await publish(calls.registry, `other-${own.id}`, signedModel(withScores, 700));
    expect(await kinds(1, [other.name])).to.deep.equal([`OUTPUT_REMOVED ${other.name}`]);
  });

  it("says what no connected node runs", async () => {
    await calls.publish(plain);
    const node = new ConnectedNode(own.running.control, `n-${own.id}`);
    await node.report({}, { capabilities: { executionProviders: ["cpu"], opsets: { "ai.onnx": 17 } } });
    await node.replies.until("first assignment", () => node.assigned);
    const { compatible, differences } = await check(1);
    expect(compatible).to.equal(false);
    expect(differences).to.have.length(1);
    expect(differences[0]).to.include({ against: "", kind: "KIND_OPSET_UNSUPPORTED", path: "opsets.ai.onnx" });
    expect(differences[0]).to.include({ oldValue: "17", newValue: "18", breaksBackward: true, breaksForward: true });
    expect(await check(1, [], "NONE")).to.include({ compatible: true });
    node.leave();
    await nodesAreGone();
  });

  async function nodesAreGone(): Promise<void> {
    while ((await calls.registry.unary("ListNodes", {})).nodes.length > 0);
  }

  it("refuses names that are none, with the field, and those of nothing", async () => {
    await calls.publish(plain);
    for (const [field, request] of [
      ["name", { name: "m" }],
      ["name", { name: calls.alias }],
      ["against[1]", { name: calls.version(1), against: [calls.version(1), "m"] }],
      ["against[0]", { name: calls.version(1), against: [own.name] }],
      ["against[0]", { name: calls.version(1), against: [`${own.name}/aliases/A`] }],
      ["against", { name: calls.version(1), against: Array(65).fill(calls.version(1)) }],
      ["mode", { name: calls.version(1), mode: 77 as never }],
    ] as const) {
      const fault = await faultOf(calls.registry.unary("CheckCompatibility", request as object));
      expect(fault, field).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      expect(fault.metadata.field).to.equal(field);
    }
    expect(await faultOf(check(2))).to.include({ code: status.NOT_FOUND, reason: "VERSION_NOT_FOUND" });
    for (const [name, reason] of [
      [calls.version(2), "VERSION_NOT_FOUND"],
      [calls.alias, "ALIAS_NOT_FOUND"],
      ["models/none/aliases/default", "MODEL_NOT_FOUND"],
    ] as const) {
      expect(await faultOf(check(1, [name]))).to.include({ code: status.NOT_FOUND, reason });
    }
  });

  it("refuses versions whose signature is not known yet", async () => {
    await calls.publish(plain);
    const missing = { variants: [{ artifact: `artifacts/${"1".repeat(64)}` }] };
    await calls.registry.unary("CreateVersion", { parent: own.name, version: missing, allowMissingArtifacts: true });
    for (const call of [check(2), check(1, [calls.version(2)])]) {
      const fault = await faultOf(call);
      expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "VERSION_STATE" });
      expect(fault.message).to.contain(calls.version(2)).and.contain("UPLOADING");
    }
  });

  it("shows every difference of signatures with hundreds of tensors, and a refusal of them arrives", async () => {
    const wide = (prefix: string): Signature => ({
      inputs: Array.from({ length: 300 }, (_, index) => ({ name: `${prefix}${index}`, dataType: "FP32", shape: [2] })),
      outputs: [y],
    });
    // Outside of ASCII a character takes nine times the room in the status of a call.
    await calls.publish(wide("输入张量".repeat(25)), {
      ...wide("输出".repeat(50)),
      outputs: [{ ...y, shape: [7, 2] }],
    });
    await calls.move([1]);
    const { differences } = await check(2);
    expect(differences).to.have.length(301);
    const fault = await faultOf(calls.move([2]));
    expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "INCOMPATIBLE" });
    expect(fault.metadata).to.include({ differences: "300" });
    expect(fault.message).to.contain("300 differences break BACKWARD").and.contain("输入张量");
  });

  it("shows a thousand differences where there are more, and so does a refusal", async () => {
    const wide = (dataType: "FP32" | "FP64"): Signature => ({
      inputs: Array.from({ length: 1200 }, (_, index) => ({ name: `x${index}`, dataType, shape: [2] })),
      outputs: [y],
    });
    await calls.publish(wide("FP32"), wide("FP64"));
    await calls.move([1]);
    const { compatible, differences, truncated } = await check(2);
    expect({ compatible, truncated }).to.deep.equal({ compatible: false, truncated: true });
    expect(differences).to.have.length(1000);
    const fault = await faultOf(calls.move([2]));
    expect(fault).to.include({ code: status.FAILED_PRECONDITION, reason: "INCOMPATIBLE" });
    expect(fault.metadata).to.include({ differences: "1000", differences_truncated: "true" });
    const diff = await calls.registry.unary("DiffVersions", { left: calls.version(1), right: calls.version(2) });
    expect(diff.signature).to.have.length(1000);
    expect(diff.truncated).to.equal(true);
  });
});

describeModelsOnEachStore("DiffVersions", (own) => {
  const calls = new ModelCalls(own);
  const diff = (left: string, right: string) => calls.registry.unary("DiffVersions", { left, right });

  it("shows two versions side by side, without their model cards, and what differs", async () => {
    const create = async (signature: Signature, version: object) => {
      const artifact = await upload(calls.registry, signedModel(signature, 800));
      const request = { parent: own.name, version: { variants: [{ artifact }], modelCard: "# Card", ...version } };
      return calls.registry.unary("CreateVersion", request, { timeoutMs: 10_000 });
    };
    await create(plain, { metrics: { accuracy: 0.5 }, tags: { stage: "new" }, metadata: { size: "small" } });
    await create(withScores, { metrics: { accuracy: 0.75 }, lineage: { hyperParameters: { epochs: "3" } } });
    await calls.move([2]);
    const { left, right, signature, fields } = await diff(calls.version(1), `${own.name}/versions/default`);
    expect(left).to.include({ name: calls.version(1), modelCard: "", state: "VERSION_STATE_READY" });
    expect(right).to.include({ name: calls.version(2), modelCard: "" });
    expect(signature.map(({ against, kind, path }) => [against, kind, path])).to.deep.equal([
      [calls.version(1), "KIND_OUTPUT_ADDED", "outputs.scores"],
    ]);
    const sizes = [left!.sizeBytes, right!.sizeBytes] as const;
    expect(fields.map(({ _change, ...field }) => field)).to.deep.equal([
      { path: "operators.Identity", left: "1", right: "2", change: 1 },
      { path: "size_bytes", left: String(sizes[0]), right: String(sizes[1]), change: sizes[1] - sizes[0] },
      { path: "parameter_count", left: "2", right: "5", change: 3 },
      { path: "metrics.accuracy", left: "0.5", right: "0.75", change: 0.25 },
      { path: "tags.stage", left: "new", right: "" },
      { path: "metadata.size", left: "small", right: "" },
      { path: "lineage.hyper_parameters.epochs", left: "", right: "3" },
    ]);
    const none = await diff(calls.version(1), calls.version(1));
    expect([none.signature, none.fields]).to.deep.equal([[], []]);
  });

  it("shows what is known of versions that are not validated, also of another model", async () => {
    await calls.publish(plain);
    const missing = { variants: [{ artifact: `artifacts/${"1".repeat(64)}` }], tags: { a: "b" } };
    const request = { parent: `models/other-${own.id}`, allowMissingModel: true, allowMissingArtifacts: true };
    const { name } = await calls.registry.unary("CreateVersion", { ...request, version: missing });
    const { signature, fields } = await diff(calls.version(1), name);
    expect(signature).to.deep.equal([]);
    expect(fields.map(({ path }) => path))
      .to.include("tags.a")
      .and.include("operators.Identity");
  });

  it("refuses names that are none, with the field", async () => {
    await calls.publish(plain);
    for (const [field, left, right] of [
      ["left", "", calls.version(1)],
      ["right", calls.version(1), calls.alias],
    ] as const) {
      const fault = await faultOf(diff(left, right));
      expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
      expect(fault.metadata.field).to.equal(field);
    }
    expect(await faultOf(diff(calls.version(1), calls.version(2)))).to.include({ reason: "VERSION_NOT_FOUND" });
  });
});
