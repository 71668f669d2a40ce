import { expect } from "chai";
import fc from "fast-check";
import { type DataType, elementBytes, elementCount, type Tensor } from "../../lib/tensor.ts";
import { joinedInputs, ownInputs } from "../../services/inference/batching/join.ts";
import { bucketOf, joiningObstacle, rowCountOf } from "../../services/inference/batching/rows.ts";
import { splitOutputs } from "../../services/inference/batching/split.ts";
import { bytesOf, rawTexts } from "./wire.ts";

const dataTypes = Object.keys(elementBytes) as DataType[];

const job = (inputs: readonly Tensor[], outputNames = ["y"]) => ({
  inputs,
  outputNames,
  inputBytes: 0,
  priority: 0,
  timeoutMs: 0,
});
const numbers = (name: string, shape: readonly number[]): Tensor => ({
  name,
  dataType: "INT32",
  shape,
  bytes: bytesOf(new Int32Array(elementCount(shape))),
});

/** A tensor with random elements of a type. */
const tensor = (dataType: DataType, shape: readonly number[]): fc.Arbitrary<Tensor> => {
  const count = elementCount(shape);
  const size = elementBytes[dataType];
  const bytes =
    size === undefined
      ? fc
          .array(fc.string({ unit: "binary" }), { minLength: count, maxLength: count })
          .map((texts) => rawTexts(...texts))
      : fc.uint8Array({ minLength: count * size, maxLength: count * size });
  return bytes.map((raw) => ({ name: dataType, dataType, shape, bytes: raw }));
};
/** Requests with one input of every data type, of the same dimensions but the first. */
const requests = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
    fc.array(fc.nat(3), { maxLength: 2 }),
  )
  .chain(([rowCounts, features]) =>
    fc.tuple(
      ...rowCounts.map((rows) => fc.tuple(...dataTypes.map((dataType) => tensor(dataType, [rows, ...features])))),
    ),
  );

describe("the rows of requests", () => {
  it("are joined and split again without a bit changed, for every data type", () => {
    fc.assert(
      fc.property(requests, (inputs) => {
        const rowCounts = inputs.map(rowCountOf);
        const joined = joinedInputs(inputs.map((tensors) => job(tensors)));
        const parts = splitOutputs(joined, rowCounts);
        const plain = (tensors: readonly Tensor[]) =>
          tensors.map(({ bytes, ...rest }) => ({ ...rest, bytes: Buffer.from(bytes).toString("hex") }));
        expect(parts.map(plain)).to.deep.equal(inputs.map(plain));
      }),
      { seed: 5 },
    );
  });

  it("are copied into buffers of their own, each from its start, unless they have one already", () => {
    const message = Buffer.from("0123456789abcdef");
    const shared: Tensor = { name: "x", dataType: "UINT8", shape: [4], bytes: message.subarray(3, 7) };
    const own: Tensor = { ...shared, name: "z", bytes: new Uint8Array(4) };
    for (const [x, z] of [joinedInputs([job([shared, own]), job([shared, own])]), ownInputs(job([shared, own]))]) {
      expect([x.bytes.byteOffset, z.bytes.byteOffset]).to.deep.equal([0, 0]);
      expect([x, z].map(({ bytes }) => bytes.buffer.byteLength === bytes.byteLength)).to.deep.equal([true, true]);
      expect(x.bytes.buffer === message.buffer).to.equal(false);
    }
    expect(ownInputs(job([own]))[0].bytes).to.equal(own.bytes);
  });

  it("are not copied where the request came in a buffer of its own, unless they are needed afterwards", () => {
    const message = Buffer.allocUnsafeSlow(64 * 1024 + 1);
    const input: Tensor = { name: "x", dataType: "UINT8", shape: [9], bytes: message.subarray(3, 12) };
    expect(ownInputs(job([input]))[0].bytes).to.equal(input.bytes);
    const [copy] = ownInputs({ ...job([input]), keepsInputs: true });
    expect([copy.bytes.buffer === message.buffer, copy.bytes.length]).to.deep.equal([false, 9]);
  });

  it("are not split where an output has others than the inputs, whatever it is", () => {
    for (const shape of [[3, 2], [], [1]]) {
      expect(() => splitOutputs([numbers("y", [2, 5]), numbers("z", shape)], [1, 1])).to.throw(
        `output 'z' has shape [${shape.join(", ")}] for 2 rows of 2 requests; needed: 2 rows`,
      );
    }
  });
});

describe("requests belong together", () => {
  it("where they give the same inputs in the same dimensions but the first, and want the same outputs", () => {
    const all = [
      job([numbers("x", [1, 2])]),
      job([numbers("x", [9, 2])]),
      job([numbers("x", [1, 3])]),
      job([numbers("x", [1, 2, 1])]),
      job([numbers("x", [1, 2]), numbers("z", [1])]),
      job([numbers("x", [1, 2])], ["y", "z"]),
    ].map(bucketOf);
    expect(all[0]).to.equal(all[1]);
    expect(new Set(all).size).to.equal(5);
  });

  it("with none where they have no rows, or their inputs disagree on them", () => {
    for (const inputs of [[], [numbers("x", [0, 2])], [numbers("x", [1]), numbers("z", [2])], [numbers("x", [])]]) {
      expect(bucketOf(job(inputs))).to.equal(undefined);
    }
    expect(rowCountOf([numbers("x", [1]), numbers("z", [2])])).to.equal(2);
    expect(rowCountOf([numbers("x", [0])])).to.equal(1);
  });

  it("only where the first axis of every input and output of the model is symbolic", () => {
    const spec = (name: string, ...shape: (number | string)[]) => ({ name, dataType: "FP32" as const, shape });
    const obstacle = (outputs: readonly ReturnType<typeof spec>[]) =>
      joiningObstacle({ inputs: [spec("x", "n", 2)], outputs });
    expect(obstacle([spec("y", "?", "width")])).to.equal(undefined);
    for (const shape of [[1, 2], [], ["..."]]) {
      expect(obstacle([spec("y", "n"), spec("z", ...shape)])).to.equal(
        `the first axis of 'z' is not symbolic: it has shape [${shape.join(", ")}]`,
      );
    }
    expect(joiningObstacle({ inputs: [], outputs: [spec("y", "n")] })).to.equal("the model has no inputs");
  });

  it("only where the first axis is the same symbol in all that name it", () => {
    const spec = (name: string, ...shape: string[]) => ({ name, dataType: "FP32" as const, shape });
    const graph = { inputs: [spec("x", "nodes"), spec("e", "edges")], outputs: [spec("y", "nodes")] };
    expect(joiningObstacle(graph)).to.equal("the first axis of 'x' is 'nodes', that of 'e' is 'edges'");
    const found = { inputs: [spec("x", "n")], outputs: [spec("y", "found")] };
    expect(joiningObstacle(found)).to.equal("the first axis of 'x' is 'n', that of 'y' is 'found'");
    const partlyNamed = { inputs: [spec("x", "?"), spec("z", "n")], outputs: [spec("y", "n")] };
    expect(joiningObstacle(partlyNamed)).to.equal(undefined);
  });
});
