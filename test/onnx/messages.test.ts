import { expect } from "chai";
import fc from "fast-check";
import { readMessage } from "../../lib/onnx/message-reader.ts";
import { messageTypes } from "../../lib/onnx/message-type.ts";
import { writeMessage } from "../../lib/onnx/message-writer.ts";

const { Node } = messageTypes({
  Node: {
    count: [1, "int32"],
    size: [2, "int64"],
    mask: [3, "uint64"],
    name: [4, "string"],
    raw: [5, "bytes"],
    ratio: [6, "float"],
    exact: [7, "double"],
    inner: [8, "Node"],
    list: [16, "Node[]"],
    loose: [17, "int64[]"],
    tight: [18, "int64[packed]"],
    floats: [19, "float[packed]"],
    names: [20, "string[]"],
  },
});
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hexOf = (message: object) => Buffer.from(writeMessage(Node, message)).toString("hex");

describe("a message of Protocol Buffers", () => {
  it("is what it was before it was written and read, whatever is in it", () => {
    const int64 = fc.oneof(
      fc.maxSafeInteger(),
      fc.record({ low: fc.integer(), high: fc.integer({ min: 2 ** 22 }), unsigned: fc.constant(false) }),
    );
    const optional = { requiredKeys: [] };
    const message = fc.letrec((tie) => ({
      node: fc.record(
        {
          count: fc.integer(),
          size: int64,
          mask: fc.maxSafeNat(),
          name: fc.string({ unit: "binary" }),
          raw: fc.uint8Array(),
          ratio: fc.float(),
          exact: fc.double(),
          inner: tie("node"),
          list: fc.array(tie("node"), { minLength: 1, maxLength: 2 }),
          loose: fc.array(int64, { minLength: 1 }),
          tight: fc.array(int64, { minLength: 1 }),
          floats: fc.array(fc.float(), { minLength: 1 }),
          names: fc.array(fc.string({ unit: "binary" }), { minLength: 1 }),
        },
        optional,
      ),
    })).node;
    fc.assert(
      fc.property(message, (given) => {
        expect(readMessage(Node, Uint8Array.from(writeMessage(Node, given as object)))).to.deep.equal(given);
      }),
      { numRuns: 300 },
    );
  });

  it("has the bytes of the format", () => {
    expect(hexOf({ count: -2, name: "é", exact: 1 })).to.equal(
      "08feffffffffffffffff01 2202c3a9 39000000000000f03f".replaceAll(" ", ""),
    );
    expect(hexOf({ size: 300, list: [{}, { raw: Uint8Array.of(7) }] })).to.equal(
      "10ac02820100820103 2a0107".replace(" ", ""),
    );
    expect(hexOf({ loose: [1, 2], tight: [1, -1] })).to.equal(
      "880101880102 92010b01ffffffffffffffffff01".replace(" ", ""),
    );
  });

  it("keeps 64-bit integers exactly: as numbers as far as those are exact", () => {
    expect(readMessage(Node, bytesOf("10ffffffffffffff0f"))).to.deep.equal({ size: Number.MAX_SAFE_INTEGER });
    expect(readMessage(Node, bytesOf("1080808080808080808001"))).to.deep.equal({
      size: { low: 0, high: -(2 ** 31), unsigned: false },
    });
    expect(readMessage(Node, bytesOf("18ffffffffffffffffff01"))).to.deep.equal({
      mask: { low: -1, high: -1, unsigned: true },
    });
  });

  it("may have lists packed or not, whatever its type says, and in several pieces", () => {
    expect(readMessage(Node, bytesOf("8a01020102 880103"))).to.deep.equal({ loose: [1, 2, 3] });
    expect(readMessage(Node, bytesOf("900101 9201020203"))).to.deep.equal({ tight: [1, 2, 3] });
  });

  it("may have fields that its type lacks, of every kind, and known ones of another kind; they are left out", () => {
    const unknown = "f001ac02 f1010102030405060708 f2010101 f50101020304 f301 f00101 f401 0a0141";
    expect(readMessage(Node, bytesOf(`0805 ${unknown} 220141`))).to.deep.equal({ count: 5, name: "A" });
  });

  it("has bytes that are not copied", () => {
    const bytes = bytesOf("2a020102");
    expect((readMessage(Node, bytes).raw as Uint8Array).buffer).to.equal(bytes.buffer);
  });

  const faults = {
    "a number that is cut off": "08ff",
    "a number of more than ten bytes": "08ffffffffffffffffffff01",
    "a text that is cut off": "220541",
    "an inner message beyond the outer one": "42022205 4142434445",
    "a list that ends within a number": "920101ff",
    "a length beyond 4 GiB": "22ffffffffff01",
    "a float that is cut off": "350102",
    "the field number 0": "0000",
    "a kind that there is none of": "0f",
    "a group without an end": "f301",
  };
  for (const [fault, hex] of Object.entries(faults)) {
    it(`is refused with ${fault}`, () => {
      expect(() => readMessage(Node, bytesOf(hex))).to.throw(RangeError);
    });
  }
});
