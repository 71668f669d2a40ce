import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { dataTypeOf, elementTypes } from "../../lib/onnx/element-type.ts";
import { type ModelProto, readModel, type TypeProto, writeModel } from "../../lib/onnx/model.ts";
import { signatureOf } from "../../lib/onnx/signature.ts";
import { elementBytes } from "../../lib/tensor.ts";

describe("a signature", () => {
  it("keeps sizes and the names of dimensions, and marks those that have neither", () => {
    const dim = [{ dimParam: "batch" }, { dimValue: 3 }, {}, { dimValue: -1 }, { dimParam: "" }, { dimValue: 0 }];
    const model = modelWith({ tensorType: { elemType: 1, shape: { dim } } });
    expect(signatureOf(model).inputs).to.deep.equal([
      { name: "x", dataType: "FP32", shape: ["batch", 3, "?", "?", "?", 0] },
    ]);
  });

  it("takes negative sizes for unknown ones, as the runtime does, and refuses those that no number holds exactly", () => {
    const sized = (dimValue: object | number) =>
      modelWith({ tensorType: { elemType: 1, shape: { dim: [{ dimValue }] } } } as never);
    expect(signatureOf(sized(-5)).inputs[0].shape).to.deep.equal(["?"]);
    expect(signatureOf(sized(2 ** 53 - 1)).inputs[0].shape).to.deep.equal([2 ** 53 - 1]);
    for (const size of [2 ** 53, { low: -1, high: 2 ** 31 - 1, unsigned: false }]) {
      expect(() => signatureOf(sized(size))).to.throw('input "x" has a dimension beyond 2^53');
    }
  });

  it("tells a scalar from a tensor of any rank", () => {
    expect(signatureOf(modelWith({ tensorType: { elemType: 1, shape: {} } })).inputs[0].shape).to.deep.equal([]);
    expect(signatureOf(modelWith({ tensorType: { elemType: 1 } })).inputs[0].shape).to.deep.equal(["..."]);
  });

  const type = { tensorType: { elemType: 1, shape: {} } };
  const withInitializers = (irVersion: number) => ({
    irVersion,
    graph: {
      input: ["x", "w", "s"].map((name) => ({ name, type })),
      initializer: [{ name: "w" }, { name: "inner" }],
      sparseInitializer: [{ values: { name: "s" } }],
    },
  });

  it("marks inputs that have a default, in files whose initializers need not be inputs", () => {
    expect(signatureOf(withInitializers(4)).inputs).to.deep.equal([
      { name: "x", dataType: "FP32", shape: [] },
      { name: "w", dataType: "FP32", shape: [], optional: true },
    ]);
  });

  it("leaves out inputs that are initializers where every initializer has to be an input", () => {
    expect(signatureOf(withInitializers(3)).inputs.map(({ name }) => name)).to.deep.equal(["x"]);
  });

  it("has a name for every data type of the protocol, and each is ONNX's own", () => {
    expect(Object.keys(elementTypes)).to.have.members(Object.keys(elementBytes));
    for (const [dataType, elementType] of Object.entries(elementTypes)) {
      expect(dataTypeOf(elementType)).to.equal(dataType);
    }
  });

  const faults: Record<string, [type: TypeProto | undefined, why: string]> = {
    sequence: [{ sequenceType: {} }, 'input "x" is a sequence'],
    map: [{ mapType: {} }, 'input "x" is a map'],
    "sparse tensor": [{ sparseTensorType: {} }, 'input "x" is a sparse tensor'],
    "optional value": [{ optionalType: {} }, 'input "x" is an optional value'],
    "value without a type": [undefined, 'input "x" is of no known type'],
    "tensor of complex numbers": [{ tensorType: { elemType: 14 } }, 'input "x" has elements of ONNX type 14'],
  };
  for (const [kind, [type, why]] of Object.entries(faults)) {
    it(`cannot hold a ${kind}, and the refusal names it`, () => {
      expect(() => signatureOf(modelWith(type)))
        .to.throw(ServiceError, why)
        .with.property("reason", "ARTIFACT_INVALID");
    });
  }
});

/** A model as it is after reading, with one input of the given type. */
function modelWith(type: TypeProto | undefined): ModelProto {
  const output = [{ name: "y", type: { tensorType: { elemType: 1, shape: {} } } }];
  return readModel(writeModel({ opsetImport: [{ version: 18 }], graph: { input: [{ name: "x", type }], output } }));
}
