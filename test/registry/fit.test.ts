import { expect } from "chai";
import { fitOf, misfitReason } from "../../services/registry/control/fit.ts";
import { fleetCapabilities } from "../../services/registry/control/fleet-capabilities.ts";
import type { NodeCapabilities } from "../../services/registry/control/node-state.ts";
import type { SettingsEntry, VariantEntry } from "../../services/registry/store/entries.ts";
import { nodeOf, variantOf, versionOf } from "./plan-inputs.ts";

const node = (...executionProviders: string[]) =>
  nodeOf("n", {}, { capabilities: { executionProviders } }).capabilities;
const variant = (id: string, precision: string, ...executionProviders: string[]) =>
  variantOf({ id, precision, executionProviders });

/** The variant that a node gets, and its providers: "int8 on cuda, cpu". */
function given(
  variants: readonly VariantEntry[],
  on: NodeCapabilities,
  settings: SettingsEntry["values"] = {},
): string {
  const found = fitOf(versionOf(1, { variants }), settings, on);
  return found === undefined ? "none" : `${found.variant.id} on ${found.executionProviders.join(", ")}`;
}

describe("what fits a node", () => {
  const everywhere = variant("whole", "fp32");
  const half = variant("half", "fp16", "cuda", "webgpu");
  const small = variant("small", "int8", "cpu");

  it("is the first variant that may run there, on what the node has, in the node's order", () => {
    expect(given([everywhere, half], node("cuda", "cpu"))).to.equal("whole on cuda, cpu");
    expect(given([half, small], node("cpu"))).to.equal("small on cpu");
    expect(given([half, small], node("webgpu", "cuda", "cpu"))).to.equal("half on webgpu, cuda");
    expect(given([half], node("cpu"))).to.equal("none");
    expect(given([everywhere], node())).to.equal("none");
    expect(given([], node("cpu"))).to.equal("none");
  });

  it("goes by the precisions that the settings prefer, and has another one where there is none of those", () => {
    const variants = [everywhere, half, small];
    expect(given(variants, node("cuda", "cpu"), { precisions: ["int8", "fp16"] })).to.equal("small on cpu");
    expect(given(variants, node("cuda"), { precisions: ["int8", "fp16"] })).to.equal("half on cuda");
    expect(given(variants, node("cpu"), { precisions: ["fp16"] })).to.equal("whole on cpu");
  });

  it("runs on nothing but the providers that the settings name, in their order", () => {
    expect(given([everywhere], node("cpu", "cuda"), { executionProviders: ["cuda", "cpu"] })).to.equal(
      "whole on cuda, cpu",
    );
    expect(given([everywhere], node("cpu"), { executionProviders: ["cuda"] })).to.equal("none");
    expect(given([half, everywhere], node("cpu", "cuda"), { executionProviders: ["cpu"] })).to.equal("whole on cpu");
  });

  it("takes the memory that is set, else what was measured, else the size of the files", () => {
    const bytes = (changes: Partial<VariantEntry>, settings: SettingsEntry["values"] = {}) =>
      fitOf(versionOf(1, { variants: [variantOf(changes)] }), settings, node("cpu"))?.memoryBytes;
    expect(bytes({ sizeBytes: 10, memoryBytes: 30 }, { memoryBytes: 50 })).to.equal(50);
    expect(bytes({ sizeBytes: 10, memoryBytes: 30 }, { memoryBytes: 0 })).to.equal(30);
    expect(bytes({ sizeBytes: 10, memoryBytes: 0 })).to.equal(10);
  });

  it("takes no memory for good where it is loaded on demand", () => {
    const settings = { memoryBytes: 50, residency: "RESIDENCY_ON_DEMAND" } as const;
    const fit = fitOf(versionOf(1, { variants: [everywhere] }), settings, node("cpu"));
    expect(fit).to.include({ memoryBytes: 0, loadedBytes: 50 });
  });

  it("asks for every operator set that the node says something of", () => {
    const version = versionOf(1, { opsets: { "ai.onnx": 21, "com.microsoft": 1 } });
    const on = (opsets: Record<string, number>) => fitOf(version, {}, { ...node("cpu"), opsets }) !== undefined;
    expect(on({})).to.equal(true);
    expect(on({ "ai.onnx": 23, "com.microsoft": 1 })).to.equal(true);
    expect(on({ "ai.onnx": 20, "com.microsoft": 1 })).to.equal(false);
    expect(on({ "ai.onnx": 23 })).to.equal(true);
    expect(on({ "com.microsoft": 0 })).to.equal(false);
  });
});

describe("why nothing fits", () => {
  const reason = (
    version: Parameters<typeof misfitReason>[0],
    fleet: NodeCapabilities[],
    settings: SettingsEntry["values"] = {},
  ) => misfitReason(version, settings, fleet);
  const runs = (newest: number) => ({ ...node("cpu"), opsets: { "ai.onnx": newest } });

  it("says what the fleet lacks", () => {
    const gpu = versionOf(1, { variants: [variant("half", "fp16", "cuda", "webgpu")] });
    expect(reason(versionOf(1), [])).to.equal("there are no nodes");
    expect(reason(gpu, [node("cpu")])).to.equal("no node offers cuda or webgpu");
    expect(reason(versionOf(1), [node("cpu")], { executionProviders: ["cuda"] })).to.equal("no node offers cuda");
    expect(reason(gpu, [node("cpu")], { executionProviders: ["cpu"] })).to.equal("no variant of it may run on cpu");
    expect(reason(versionOf(1), [node()])).to.equal("no node offers an execution provider");
    expect(reason(versionOf(1, { opsets: { "ai.onnx": 23 } }), [runs(21), runs(22)])).to.equal(
      "no node runs operator set 23 of ai.onnx",
    );
  });

  it("is not said where one node will do", () => {
    expect(reason(versionOf(1), [node("cpu"), node()])).to.equal(undefined);
  });
});

describe("what a fleet can run", () => {
  const running = (id: string, opsets: Record<string, number>, executionProviders: string[], draining = false) =>
    nodeOf(id, {}, { capabilities: { opsets, executionProviders }, draining });

  it("is what each of its nodes can run, but for those that drain", () => {
    const nodes = [running("a", { "ai.onnx": 21 }, ["cpu"]), running("b", {}, ["webgpu"])];
    const draining = running("c", { "ai.onnx": 99 }, ["tensorrt"], true);
    const capabilities = nodes.map((one) => one.capabilities);
    expect(fleetCapabilities([nodes[0]!, draining, nodes[1]!])).to.deep.equal(capabilities);
  });
});
