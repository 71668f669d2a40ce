import { expect } from "chai";
import type { DataType, Signature, TensorSpec } from "../../../lib/tensor.ts";
import { comparison } from "../../../services/registry/compatibility/comparison.ts";
import { Findings, type Question } from "../../../services/registry/compatibility/findings.ts";

const tensors = (count: number, prefix: string, more: Partial<TensorSpec> = {}): TensorSpec[] =>
  Array.from({ length: count }, (_, index) => ({ name: `${prefix}${index}`, dataType: "FP32", shape: [2], ...more }));
const y = tensors(1, "y");

/** What tells a version from others, and in how many turns it was found. */
function compare(signature: Signature, others: readonly Signature[], question: Partial<Question> = {}) {
  const findings = new Findings({ mode: "BACKWARD", isOnlyBreaking: false, ...question });
  const candidate = {
    name: "new",
    signatureJson: JSON.stringify(signature),
    needs: { opsets: {}, executionProviders: [] },
  };
  const compared = others.map((other, index) => ({ name: `old ${index}`, signatureJson: JSON.stringify(other) }));
  const turns = [...comparison(candidate, compared, [], findings)].length;
  return { findings, turns };
}

describe("a comparison with many versions", () => {
  it("finds the differences from each, in their order, also where several are equal", () => {
    const before: Signature = { inputs: tensors(1, "x"), outputs: [...y, ...tensors(1, "z")] };
    const after: Signature = { inputs: before.inputs, outputs: y };
    const { findings } = compare(after, [before, after, before]);
    expect(findings.shown.map(({ version, against, path }) => `${version} ${against} ${path}`)).to.deep.equal([
      "new old 0 outputs.z0",
      "new old 2 outputs.z0",
    ]);
    expect(findings).to.include({ areMore: false, breaksMode: true });
  });

  it("stops at a thousand differences, and takes no time for the millions behind them", () => {
    const types: DataType[] = ["FP64", "INT32", "INT64", "BOOL"];
    const others = Array.from({ length: 64 }, (_, index) => ({
      inputs: tensors(20_000, "x", { dataType: types[index % 4]!, shape: [index] }),
      outputs: y,
    }));
    const { findings, turns } = compare({ inputs: tensors(20_000, "x"), outputs: y }, others);
    expect(findings.shown).to.have.length(1000);
    expect(findings).to.include({ areMore: true, breaksMode: true });
    expect(turns).to.be.below(10);
  });

  it("goes on behind the harmless ones until it knows whether one breaks the mode, and shows that one last", () => {
    const old: Signature = { inputs: [], outputs: [...y, ...tensors(1, "z")] };
    const harmless = tensors(1500, "x", { optional: true });
    const { findings } = compare({ inputs: harmless, outputs: y }, [old]);
    expect(findings.shown).to.have.length(1000);
    expect(findings).to.include({ areMore: true, breaksMode: true });
    expect(findings.shown.at(-1)).to.include({ kind: "OUTPUT_REMOVED", path: "outputs.z0" });
    expect(findings.shown[998]).to.include({ kind: "OPTIONAL_INPUT_ADDED", path: "inputs.x998" });
    const compatible = compare({ inputs: harmless, outputs: y }, [{ inputs: [], outputs: y }]);
    expect(compatible.findings).to.include({ areMore: true, breaksMode: false });
    const breaking = compare({ inputs: harmless, outputs: y }, [old], { isOnlyBreaking: true });
    expect(breaking.findings.shown.map(({ path }) => path)).to.deep.equal(["outputs.z0"]);
    expect(breaking.findings.areMore).to.equal(false);
  });

  it("lets others have a turn, and compares equal signatures once", () => {
    const before: Signature = { inputs: [], outputs: y };
    const after: Signature = { inputs: tensors(4000, "x", { optional: true }), outputs: y };
    const once = compare(after, [before]).turns;
    expect(once).to.be.within(8, 12);
    expect(compare(after, Array(20).fill(before)).turns).to.equal(once + 19);
  });

  it("takes a time that is linear in the signatures, also where everything has another name", () => {
    const renamed = (count: number) => {
      const [before, after] = ["a", "b"].map((prefix) => ({ inputs: tensors(count, prefix), outputs: y }));
      // Of the processor: a busy machine is not the comparison's.
      const begin = process.cpuUsage();
      compare(after!, [before!], { mode: "FORWARD", isOnlyBreaking: true });
      return process.cpuUsage(begin).user / 1000;
    };
    renamed(10_000);
    expect(renamed(100_000)).to.be.below(3000);
  });
});
