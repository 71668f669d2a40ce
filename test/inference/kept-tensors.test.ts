import { expect } from "chai";
import fc from "fast-check";
import { heldName } from "../../services/inference/tensors/held-tensor.ts";
import { DeviceTensor, type RuntimeSession, RuntimeTensor } from "../../services/inference/worker/binding.ts";
import { KeptTensors, keptOf } from "../../services/inference/worker/kept-tensors.ts";

/** A device whose tensors are numbers: each knows how often it was freed. */
class Device {
  readonly freeCounts: number[] = [];
  /** How many graphs were loaded that read. */
  readerCount = 0;
  readsFail = false;

  given(value: number): DeviceTensor {
    const place = this.freeCounts.push(0) - 1;
    const dispose = () => {
      this.freeCounts[place]++;
    };
    return new DeviceTensor(value, { dataType: "float32", dims: [1], dispose });
  }

  reader(): RuntimeSession {
    this.readerCount++;
    const run = ({ x }: Readonly<Record<string, unknown>>) => {
      if (this.readsFail) throw new Error("it is full");
      return { y: here((x as DeviceTensor).gpuBuffer as number) };
    };
    return {
      inputMetadata: [],
      outputMetadata: [],
      loadModel: () => undefined,
      run,
      dispose: () => this.readerCount--,
    };
  }
}

const here = (value: number) => new RuntimeTensor("float32", Float32Array.of(value), [1]);
const outputMetadata = ["a", "b", "y"].map((name) => ({ name }));
const wanted = ["a", "b", "y", heldName("a"), heldName("b")];

describe("what a session keeps on its device", () => {
  it("is read, kept or freed as it is wanted, and freed once, whatever is wanted and fails", () => {
    const run = fc.record({ wanted: fc.uniqueArray(fc.constantFrom(...wanted)), fails: fc.nat(5).map((n) => n === 0) });
    const free = fc.record({ free: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(fc.oneof(run, free), { maxLength: 30 }), (steps) => {
        const device = new Device();
        const kept = new KeptTensors(["a", "b"], { outputMetadata }, () => device.reader());
        const held = new Map<number, number>();
        let value = 0;
        for (const step of steps) {
          if ("free" in step) {
            const heldId = [...held.keys()][step.free];
            if (heldId !== undefined) kept.free(heldId);
            held.delete(heldId);
            continue;
          }
          value += 10;
          device.readsFail = step.fails;
          expect(kept.fetched(step.wanted)).to.deep.equal(["a", "b", "y"]);
          const values: Readonly<Record<string, number>> = { a: value, b: value + 1, y: value + 2 };
          const results = { a: device.given(value), b: device.given(value + 1), y: here(value + 2) };
          const reads = step.wanted.some((name) => name === "a" || name === "b");
          if (step.fails && reads) {
            expect(() => kept.taken(results, step.wanted)).to.throw("it is full");
            continue;
          }
          for (const [index, given] of kept.taken(results, step.wanted).entries()) {
            const expected = values[step.wanted[index].replace("\0", "")];
            if ("heldId" in given) held.set(given.heldId, expected);
            else expect(given.data).to.deep.equal(Float32Array.of(expected));
          }
        }
        for (const [heldId, expected] of held) expect(kept.get(heldId).gpuBuffer).to.equal(expected);
        expect(device.readerCount).to.be.at.most(1);
        expect(device.freeCounts.filter((count) => count === 0).length).to.equal(held.size);
        kept.close();
        expect(new Set(device.freeCounts)).to.deep.equal(new Set(device.freeCounts.length > 0 ? [1] : []));
        expect(device.readerCount).to.equal(0);
      }),
    );
  });

  it("is never given to a run once it was freed", () => {
    const device = new Device();
    const kept = new KeptTensors(["a"], { outputMetadata: [{ name: "a" }] }, () => device.reader());
    kept.taken({ a: device.given(1) }, [heldName("a")]);
    kept.free(0);
    expect(() => kept.get(0)).to.throw("what was freed is not given to a run");
    expect(() => kept.free(0)).to.throw("what was freed is not given to a run");
  });

  it("are outputs of the types that it computes with", () => {
    const output = (name: string, dataType: "FP32" | "INT64" | "BYTES") => ({ name, dataType, shape: [1] });
    const outputs = [output("a", "FP32"), output("b", "INT64"), output("c", "BYTES"), output("d", "FP32")];
    expect(keptOf(["b", "a", "c", "stray"], { inputs: [], outputs })).to.deep.equal(["a"]);
  });
});
