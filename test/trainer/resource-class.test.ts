import { expect } from "chai";
import fc from "fast-check";
import { fits, needsOf, resourceClassOf } from "../../services/trainer/jobs/resource-class.ts";
import type { Work } from "../../services/trainer/jobs/work.ts";

describe("what a job needs of a worker", () => {
  const classOf = (device: string, memoryBytes: number) =>
    resourceClassOf({ kind: "train", spec: { device, limits: { memoryBytes } } } as unknown as Work);
  const cpu = (memoryBytes: number) => ({ devices: ["cpu"] as const, memoryBytes });
  const bytes = fc.integer({ min: 1, max: 2 ** 50 });

  it("is a device and memory, and a worker fits that has both", () => {
    const gibi = 1024 ** 3;
    expect(classOf("DEVICE_CUDA", 5 * gibi)).to.equal(`cuda-${5 * gibi}`);
    expect(needsOf(classOf("DEVICE_CUDA", 5 * gibi))).to.equal(`the device cuda and ${5 * gibi} bytes of memory`);
    expect(fits("cuda-0", cpu(1))).to.equal(false);
    expect(fits("cuda-0", { devices: ["cpu", "cuda"], memoryBytes: 1 })).to.equal(true);
  });

  it("is nothing where the job says nothing", () => {
    const name = resourceClassOf({ kind: "train", spec: { device: "DEVICE_UNSPECIFIED" } } as Work);
    expect(fits(name, { devices: ["webgpu"], memoryBytes: 1 })).to.equal(true);
    expect(needsOf(name)).to.equal("");
  });

  it("never fits a worker that has less memory, and always one that has a quarter more and 64 MiB", () => {
    fc.assert(
      fc.property(bytes, bytes, (needed, has) => {
        if (has < needed) expect(fits(classOf("DEVICE_CPU", needed), cpu(has))).to.equal(false);
        const ample = Math.ceil(needed * 1.25) + 64 * 1024 ** 2;
        expect(fits(classOf("DEVICE_CPU", needed), cpu(ample))).to.equal(true);
      }),
    );
  });

  it("makes few classes: four for each power of two", () => {
    const names = Array.from({ length: 10_000 }, (_, i) => classOf("DEVICE_CPU", (i + 1) * 1024 ** 2));
    expect(new Set(names).size).to.be.at.most(30);
  });

  it("is nothing that other jobs wait for, where it is a sweep", () => {
    const name = resourceClassOf({ kind: "sweep", spec: {} } as Work);
    expect(fits(name, { devices: ["cpu", "webgpu", "cuda"], memoryBytes: 2 ** 50 })).to.equal(false);
  });

  it("is refused where it is less than nothing", () => {
    expect(() => classOf("DEVICE_CPU", -1)).to.throw("limits.memory_bytes is -1; needed: at least 0");
  });
});
