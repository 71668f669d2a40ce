import { expect } from "chai";
import fc from "fast-check";
import type { Version } from "../../../lib/gen/amaas/registry/v1/Version.ts";
import { type DataType, elementBytes } from "../../../lib/tensor.ts";
import { typeChangeOf } from "../../../services/registry/compatibility/data-types.ts";
import { fieldDifferences } from "../../../services/registry/compatibility/fields.ts";
import type { FoundDifference } from "../../../services/registry/compatibility/findings.ts";
import { fleetDifferences } from "../../../services/registry/compatibility/fleet.ts";
import { breaksMode, isTransitive } from "../../../services/registry/compatibility/modes.ts";
import { incompatibleFault } from "../../../services/registry/compatibility/refusal.ts";
import { fitOf } from "../../../services/registry/control/fit.ts";
import type { NodeCapabilities } from "../../../services/registry/control/node-state.ts";
import { variantOf, versionOf } from "../plan-inputs.ts";

describe("an element type", () => {
  const dataTypes = Object.keys(elementBytes) as DataType[];
  /** Whole numbers that a type holds without a gap: from, to; and which floating-point types hold all of its numbers. */
  const ranges: Partial<Record<DataType, readonly [number, number]>> = {
    ...{ UINT8: [0, 2 ** 8 - 1], UINT16: [0, 2 ** 16 - 1], UINT32: [0, 2 ** 32 - 1], UINT64: [0, 2 ** 64] },
    ...{ INT8: [-(2 ** 7), 2 ** 7 - 1], INT16: [-(2 ** 15), 2 ** 15 - 1], INT32: [-(2 ** 31), 2 ** 31 - 1] },
    ...{ INT64: [-(2 ** 63), 2 ** 63], BF16: [-(2 ** 8), 2 ** 8], FP16: [-(2 ** 11), 2 ** 11] },
    ...{ FP32: [-(2 ** 24), 2 ** 24], FP64: [-(2 ** 53), 2 ** 53] },
  };
  const isFloat = (type: DataType) => /^(FP|BF)/.test(type);

  it("is wider than another exactly where it holds every number of it", () => {
    for (const narrow of dataTypes) {
      for (const wide of dataTypes) {
        const [a, b] = [ranges[narrow], ranges[wide]];
        const holdsWhole = a !== undefined && b !== undefined && b[0] <= a[0] && b[1] >= a[1];
        // Fractions need a type of fractions; of those with 16 bits neither holds the other.
        const holdsFractions = !isFloat(narrow) || (isFloat(wide) && !(narrow === "BF16" && wide === "FP16"));
        const isWider = narrow !== wide && holdsWhole && holdsFractions;
        expect(typeChangeOf(narrow, wide) === "TYPE_WIDENED", `${narrow} to ${wide}`).to.equal(isWider);
        expect(typeChangeOf(wide, narrow) === "TYPE_NARROWED", `${wide} to ${narrow}`).to.equal(isWider);
      }
    }
  });
});

describe("a compatibility mode", () => {
  const verdicts = (breaksBackward: boolean, breaksForward: boolean) =>
    (["NONE", "BACKWARD", "FORWARD", "FULL"] as const).filter((mode) =>
      breaksMode(mode, { breaksBackward, breaksForward }),
    );

  it("forbids what breaks the clients that it protects", () => {
    expect(verdicts(true, false)).to.deep.equal(["BACKWARD", "FULL"]);
    expect(verdicts(false, true)).to.deep.equal(["FORWARD", "FULL"]);
    expect(verdicts(true, true)).to.deep.equal(["BACKWARD", "FORWARD", "FULL"]);
  });

  it("forbids the same in its TRANSITIVE form, about more versions", () => {
    for (const mode of ["BACKWARD", "FORWARD", "FULL"] as const) {
      for (const breakage of [true, false].flatMap((a) =>
        [true, false].map((b) => ({ breaksBackward: a, breaksForward: b })),
      )) {
        expect(breaksMode(`${mode}_TRANSITIVE`, breakage)).to.equal(breaksMode(mode, breakage));
      }
      expect([isTransitive(mode), isTransitive(`${mode}_TRANSITIVE`)]).to.deep.equal([false, true]);
    }
    expect(isTransitive("NONE")).to.equal(false);
  });
});

describe("a fleet", () => {
  const node = (opsets: Record<string, number>, ...executionProviders: string[]): NodeCapabilities => {
    return { opsets, executionProviders, memoryBudgetBytes: 0, runtime: "", cores: 1, missingExecutionProviders: {} };
  };
  const fleet = [
    node({ "ai.onnx": 21, "com.microsoft": 1 }, "cpu"),
    node({ "ai.onnx": 20, "com.microsoft": 1 }, "webgpu"),
  ];
  const kinds = (opsets: Record<string, number>, ...executionProviders: string[][]) =>
    fleetDifferences({ opsets, executionProviders }, fleet).map(({ kind, path }) => `${kind} ${path}`);

  it("fits what asks for no newer operator set than one of its nodes runs, and for a provider that one of them has", () => {
    expect(kinds({ "ai.onnx": 21, "com.microsoft": 1 }, ["cuda"], ["cpu", "tensorrt"])).to.deep.equal([]);
    expect(kinds({ "ai.onnx": 7 }, ["cuda"], [])).to.deep.equal([]);
    expect(kinds({ "ai.onnx": 7 })).to.deep.equal([]);
  });

  it("does not fit newer operator sets, nor providers that no node has", () => {
    expect(kinds({ "com.microsoft": 2, "ai.onnx": 22 }, ["cuda"], ["tensorrt"])).to.deep.equal([
      "OPSET_UNSUPPORTED opsets.ai.onnx",
      "OPSET_UNSUPPORTED opsets.com.microsoft",
      "DEVICE_UNSUPPORTED variants",
    ]);
    const [opset, device] = fleetDifferences({ opsets: { "ai.onnx": 22 }, executionProviders: [["cuda"]] }, fleet);
    expect(opset).to.include({ oldValue: "21", newValue: "22", breaksBackward: true, breaksForward: true });
    expect(device).to.include({ oldValue: "cpu, webgpu", newValue: "cuda", breaksBackward: true, breaksForward: true });
  });

  it("fits operators of domains that no node says anything of: the model may bring them along", () => {
    expect(kinds({ "com.mine": 7 }, ["cpu"])).to.deep.equal([]);
  });

  it("fits everything while there is no node", () => {
    expect(fleetDifferences({ opsets: { "ai.onnx": 99 }, executionProviders: [["cuda"]] }, [])).to.deep.equal([]);
  });

  it("does not fit what none of its nodes can hold, though they could together", () => {
    expect(kinds({ "ai.onnx": 21 }, ["webgpu"])).to.deep.equal(["DEVICE_UNSUPPORTED variants"]);
    const split = [
      node({ "ai.onnx": 21, "com.microsoft": 0 }, "cpu"),
      node({ "ai.onnx": 20, "com.microsoft": 1 }, "cpu"),
    ];
    const needs = { opsets: { "ai.onnx": 21, "com.microsoft": 1 }, executionProviders: [[]] };
    expect(fleetDifferences(needs, split).map(({ path }) => path)).to.deep.equal([
      "opsets.ai.onnx",
      "opsets.com.microsoft",
    ]);
  });

  it("fits operator sets where a node says nothing of any, and then only the providers of that node", () => {
    const silent = [...fleet, node({}, "cpu")];
    const needs = { opsets: { "ai.onnx": 99 }, executionProviders: [["cpu"]] };
    expect(fleetDifferences(needs, silent)).to.deep.equal([]);
    const [device] = fleetDifferences({ ...needs, executionProviders: [["webgpu"]] }, silent);
    expect(device).to.include({ kind: "DEVICE_UNSUPPORTED", oldValue: "cpu", newValue: "webgpu" });
  });

  it("fits exactly what has a place on one of its nodes", () => {
    const opsets = fc.dictionary(fc.constantFrom("ai.onnx", "com.microsoft"), fc.integer({ min: 1, max: 3 }));
    const providers = fc.subarray(["cpu", "cuda", "webgpu"]);
    const nodes = fc.array(fc.tuple(opsets, providers), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(opsets, fc.array(providers, { minLength: 1, maxLength: 3 }), nodes, (asked, variants, described) => {
        const all = described.map(([runs, offers]) => node(runs, ...offers));
        const version = versionOf(1, {
          opsets: asked,
          variants: variants.map((executionProviders) => variantOf({ executionProviders })),
        });
        const isPlaced = all.some((one) => fitOf(version, {}, one) !== undefined);
        expect(fleetDifferences({ opsets: asked, executionProviders: variants }, all).length === 0).to.equal(isPlaced);
      }),
    );
  });
});

describe("the refusal of a move", () => {
  const difference: FoundDifference = {
    ...{ version: "models/m/versions/2", against: "models/m/versions/1", kind: "INPUT_REMOVED", path: "inputs.x" },
    ...{ oldValue: "FP32 []", newValue: "", message: 'input "x" is gone', breaksBackward: true, breaksForward: true },
  };

  it("names alias, mode, versions and every difference", () => {
    const other = { ...difference, message: 'output "y" is gone' };
    const last = { ...difference, against: "models/m/versions/0" };
    const { reason, message, metadata } = incompatibleFault("models/m/aliases/a", "FULL", {
      shown: [difference, other, last],
      areMore: false,
    });
    expect(reason).to.equal("INCOMPATIBLE");
    expect(message).to.equal(
      "models/m/aliases/a cannot move: 3 differences break FULL: models/m/versions/2 against models/m/versions/1: " +
        'input "x" is gone; output "y" is gone; models/m/versions/2 against models/m/versions/0: input "x" is gone; ' +
        "CheckCompatibility lists them; needed: a compatible version, another mode, or force",
    );
    expect(metadata).to.deep.equal({
      ...{ alias: "models/m/aliases/a", mode: "FULL", differences: "3" },
      difference_1: "models/m/versions/2 against models/m/versions/1: INPUT_REMOVED inputs.x",
      difference_2: "models/m/versions/2 against models/m/versions/1: INPUT_REMOVED inputs.x",
      difference_3: "models/m/versions/2 against models/m/versions/0: INPUT_REMOVED inputs.x",
    });
  });

  it("says how many there are, and where to see all, within what an error may hold", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 200 }), (count, length) => {
        const one = { ...difference, message: "M".repeat(length) };
        const alias = `models/${"m".repeat(63)}/aliases/${"a".repeat(63)}`;
        const { message, metadata } = incompatibleFault(alias, "BACKWARD_TRANSITIVE", {
          shown: Array(count).fill(one),
          areMore: false,
        });
        expect(message.length).to.be.at.most(1000);
        const shown = message.split(`${"M".repeat(length)};`).length - 1;
        if (shown < count) expect(message).to.contain(`and ${count - shown} more`);
        expect(message).to.contain(`${count} difference`).and.contain("CheckCompatibility").and.contain("force");
        expect(metadata.differences).to.equal(String(count));
        expect(Object.keys(metadata).length).to.be.at.most(11);
      }),
    );
  });

  it("says where it has stopped to look for more", () => {
    const found = { shown: Array(1000).fill(difference), areMore: true };
    const { message, metadata } = incompatibleFault("models/m/aliases/a", "BACKWARD", found);
    expect(message)
      .to.contain("more than 1000 differences break BACKWARD")
      .and.match(/and more than 9\d\d more;/);
    expect(metadata).to.include({ differences: "1000", differences_truncated: "true" });
  });
});

describe("two versions side by side", () => {
  const left: Version = {
    ...{ operators: { Gemm: 2, Relu: 1 }, opsets: { "ai.onnx": 18 }, sizeBytes: 100, parameterCount: 10 },
    ...{ metrics: { accuracy: 0.5, loss: 1 }, tags: { stage: "new" }, metadata: { "a.b": "1", same: "x" } },
    lineage: { hyperParameters: { epochs: "3" } },
  };
  const right: Version = {
    ...{ operators: { Gemm: 3, Tanh: 1 }, opsets: { "ai.onnx": 21 }, sizeBytes: 150, parameterCount: 10 },
    ...{ metrics: { accuracy: 0.75 }, tags: { stage: "old" }, metadata: { same: "x" } },
    lineage: { hyperParameters: { epochs: "5", seed: "1" } },
  };

  it("show what differs, in a fixed order, and by how much where both are numbers", () => {
    expect(fieldDifferences(left, right)).to.deep.equal([
      { path: "operators.Gemm", left: "2", right: "3", change: 1 },
      { path: "operators.Relu", left: "1", right: "" },
      { path: "operators.Tanh", left: "", right: "1" },
      { path: "opsets.ai.onnx", left: "18", right: "21", change: 3 },
      { path: "size_bytes", left: "100", right: "150", change: 50 },
      { path: "metrics.accuracy", left: "0.5", right: "0.75", change: 0.25 },
      { path: "metrics.loss", left: "1", right: "" },
      { path: "tags.stage", left: "new", right: "old" },
      { path: "metadata.a.b", left: "1", right: "" },
      { path: "lineage.hyper_parameters.epochs", left: "3", right: "5" },
      { path: "lineage.hyper_parameters.seed", left: "", right: "1" },
    ]);
  });

  it("show nothing of what is equal, also of keys that are named like parts of JavaScript objects", () => {
    expect(fieldDifferences(left, left)).to.deep.equal([]);
    const strange: Version = { ...right, tags: { constructor: "a", ...right.tags }, lineage: null };
    const found = fieldDifferences(right, strange).map(({ path }) => path);
    expect(found).to.deep.equal([
      "tags.constructor",
      "lineage.hyper_parameters.epochs",
      "lineage.hyper_parameters.seed",
    ]);
  });
});
