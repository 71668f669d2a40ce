import { expect } from "chai";
import { isShortage } from "../../lib/onnx/shortage.ts";
import { openSession, type Session } from "../../services/inference/worker/runtime.ts";
import { expandingModel } from "./models.ts";

describe("the runtime", () => {
  const options = { executionProviders: ["cpu"], intraOpThreads: 1, externalData: [] };
  let session: Session;
  before(async () => {
    session = await openSession(expandingModel(), options);
  });
  after(() => session.release());

  const expanded = (count: bigint) =>
    session
      .run([{ name: "x", dataType: "INT64", shape: [1], bytes: new Uint8Array(BigInt64Array.of(count).buffer) }], ["y"])
      .then(
        ({ outputs: [{ shape }] }) => shape,
        ({ reason }) => reason,
      );

  it("blames the inputs for what it cannot compute, itself for the memory that it does not get, and goes on", async () => {
    expect(await expanded(-5n)).to.equal("TENSOR_INVALID");
    // More than the address space, so that no machine has it.
    expect(await expanded(2n ** 46n)).to.equal("INTERNAL");
    expect(await expanded(3n)).to.deep.equal([3]);
  });

  it("is not asked to run without an input, which it would read from nowhere", async () => {
    const fault = await session.run([], ["y"]).catch((thrown) => thrown);
    expect(fault).to.include({ reason: "TENSOR_INVALID" });
    expect(fault.message).to.include("the input 'x' is missing");
  });

  it("blames the bytes where they are no model", async () => {
    const fault = await openSession(Buffer.from("not a model"), options).catch((thrown) => thrown);
    expect(fault).to.include({ reason: "ARTIFACT_INVALID" });
  });

  it("is known to be short of something by what it says", () => {
    const short = [
      "std::bad_alloc",
      "bad allocation",
      "Exception during initialization: std::bad_alloc",
      "bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 281474976710656",
      "BFC Arena ran out of memory trying to allocate 4096",
      "Memory allocation failed. Size=4096",
      "Array buffer allocation failed",
      "Cannot allocate memory",
      "pthread_create failed, error code: 11 error msg: Resource temporarily unavailable",
      "Resource temporarily unavailable",
    ];
    const other = [
      "Failed to load model because protobuf parsing failed.",
      "Could not find an implementation for Add(14) node with name 'BFCArena'",
      "Fatal error: com.example:Thread(-1) is not a registered function/op",
      "op_kernel.cc:83 CalculateTensorStorageSize Tensor shape.Size() must be >= 0",
      "indices element out of data bounds, idx=99 must be within the inclusive range [-3,2]",
      "bfc_arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) something else",
    ];
    expect(short.filter((text) => !isShortage(text))).to.deep.equal([]);
    expect(other.filter(isShortage)).to.deep.equal([]);
  });
});
