import { expect } from "chai";
import fc from "fast-check";
import { ConnectionFault } from "../../lib/http2/faults.ts";
import { frameFlag } from "../../lib/http2/frames.ts";
import { HeaderBlocks } from "../../lib/http2/header-blocks.ts";
import { HeaderDecoder } from "../../lib/http2/header-decoder.ts";
import { checkSendable, HeaderEncoder } from "../../lib/http2/header-encoder.ts";

type Fields = readonly (readonly [string, string])[];

function decoded(decoder: HeaderDecoder, block: Buffer): Fields {
  const fields: [string, string][] = [];
  decoder.decode(block, (name, value) => fields.push([name, value]));
  return fields;
}

const get = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
] as const;
const withCustom = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/index.html"],
  [":authority", "www.example.com"],
  ["custom-key", "custom-value"],
] as const;
const answerOf = (status: string, seconds: number) =>
  [
    [":status", status],
    ["cache-control", "private"],
    ["date", `Mon, 21 Oct 2013 20:13:${seconds} GMT`],
    ["location", "https://www.example.com"],
  ] as const;
const cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const requests = [get, [...get, ["cache-control", "no-cache"]], withCustom] as const;
const answers = [
  answerOf("302", 21),
  answerOf("307", 21),
  [...answerOf("200", 22), ["content-encoding", "gzip"], ["set-cookie", cookie]],
] as const;

/** Blocks of one connection, in hexadecimal digits. Those of answers begin with a table of 256 bytes. */
const examples: Readonly<Record<string, { readonly blocks: readonly string[]; readonly means: readonly Fields[] }>> = {
  "C.2": {
    blocks: [
      "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
      "040c2f73616d706c652f70617468",
      "100870617373776f726406736563726574",
      "82",
    ],
    means: [
      [["custom-key", "custom-header"]],
      [[":path", "/sample/path"]],
      [["password", "secret"]],
      [[":method", "GET"]],
    ],
  },
  "C.3": {
    blocks: [
      "828684410f7777772e6578616d706c652e636f6d",
      "828684be58086e6f2d6361636865",
      "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ],
    means: requests,
  },
  "C.4": {
    blocks: [
      "828684418cf1e3c2e5f23a6ba0ab90f4ff",
      "828684be5886a8eb10649cbf",
      "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ],
    means: requests,
  },
  "C.5": {
    blocks: [
      "3fe1014803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
      "4803333037c1c0bf",
      "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    ],
    means: answers,
  },
  "C.6": {
    blocks: [
      "3fe101488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
      "4883640effc1c0bf",
      "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ],
    means: answers,
  },
};

describe("header blocks", () => {
  for (const [section, { blocks, means }] of Object.entries(examples)) {
    it(`are read as RFC 7541, appendix ${section}, has them`, () => {
      const decoder = new HeaderDecoder();
      const read = blocks.map((block) => decoded(decoder, Buffer.from(block, "hex")));
      // The order of the fields is the one of the blocks.
      for (const [place, fields] of read.entries()) expect(fields).to.have.deep.members([...means[place]!]);
    });
  }

  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/).filter((text) => text !== "constructor");
  const value = fc.oneof(
    fc.constantFrom("", "1", "application/grpc", "x".repeat(200)),
    fc.stringMatching(/^[ -~\xa0-\xff]{0,60}$/),
  );
  const headers = fc.dictionary(
    fc.oneof(name, fc.constantFrom(":path", ":status", "content-type", "authorization")),
    value,
    { maxKeys: 12, noNullPrototype: true },
  );
  const step = fc.record({
    headers,
    tableBytes: fc.option(fc.constantFrom(0, 100, 4096, 100_000), { freq: 5, nil: undefined }),
  });

  it("are read as they were written, block after block, whatever the other side's table may hold", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const encoder = new HeaderEncoder();
        const decoder = new HeaderDecoder();
        for (const { headers, tableBytes } of steps) {
          if (tableBytes !== undefined) encoder.resize(tableBytes);
          const read = decoded(decoder, Buffer.from(encoder.encode(headers)));
          expect(Object.fromEntries(read)).to.deep.equal({ ...headers });
        }
      }),
    );
  });

  it("tell of the smallest table that was allowed in between", () => {
    const encoder = new HeaderEncoder();
    encoder.encode({ "a-name": "a value" });
    encoder.resize(0);
    encoder.resize(4096);
    // A table of nothing, and then one of 4096 bytes.
    expect(encoder.encode({}).toString("hex")).to.equal("203fe11f");
    expect(decoded(new HeaderDecoder(), Buffer.from(encoder.encode({ "a-name": "a value" })))).to.deep.equal([
      ["a-name", "a value"],
    ]);
  });

  it("are small where the values come again, and where a name's values never do", () => {
    const encoder = new HeaderEncoder();
    const sizeOf = (call: number) => encoder.encode({ ":path": "/a/path", "x-request-id": `request ${call}` }).length;
    const sizes = Array.from({ length: 1000 }, (_, call) => sizeOf(1000 + call));
    // One byte for the path; the name is not remembered, nor is room taken from others.
    expect(sizes.at(-1)).to.be.at.most(1 + 2 + "x-request-id".length + 1 + "request 1000".length);
    expect(encoder.encode({ ":path": "/a/path" }).length).to.equal(1);
  });

  it("never name a secret that a table holds", () => {
    const encoder = new HeaderEncoder();
    const first = Buffer.from(encoder.encode({ authorization: "a secret" }));
    expect(encoder.encode({ authorization: "a secret" })).to.deep.equal(first);
    expect(first[0]! & 0xf0).to.equal(0x10);
  });

  it("are read, or refused as a fault of the connection, whatever their bytes are", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.array(fc.constantFrom(0x00, 0x40, 0x82, 0x81, 0xff, 0x3f, 0xbe), { maxLength: 60 }),
    );
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 5 }), (blocks) => {
        const decoder = new HeaderDecoder();
        try {
          for (const block of blocks) decoded(decoder, Buffer.from(block));
        } catch (fault) {
          expect(fault).to.be.instanceOf(ConnectionFault);
        }
      }),
      { numRuns: 300 },
    );
  });

  for (const [what, block] of [
    ["name no entry", "80"],
    ["name an entry that is not there", "be"],
    ["end inside of a number", "ff"],
    ["have a number of too many bytes", "ffffffffffff0f"],
    ["end inside of a text", "0005ab"],
    ["have a table that is too large", "3fe21f"],
    ["change the table after a header", "8220"],
    ["fill a Huffman code up with zeros", "00810061"],
    ["fill a Huffman code up with a whole byte", "00821fff0161"],
    ["have the end inside of a Huffman code", "0084ffffffff0161"],
  ] as const) {
    it(`are refused where they ${what}`, () => {
      expect(() => decoded(new HeaderDecoder(), Buffer.from(block, "hex"))).to.throw(ConnectionFault);
    });
  }

  it("may have names that objects have by themselves", () => {
    for (const name of ["constructor", "__proto__"]) {
      const block = Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(1), Buffer.from("x")]);
      const { headers } = new HeaderBlocks(1024).begin(1, frameFlag.endHeaders, block)!;
      expect(Object.entries(headers!)).to.deep.equal([[name, "x"]]);
    }
  });

  it("are not written where HTTP cannot carry them", () => {
    for (const [key, text] of [
      ["a", "b\nc"],
      ["a", "b\0"],
      ["a", "Ċ"],
      ["a\r", "b"],
    ] as const)
      expect(() => checkSendable({ [key]: text })).to.throw(/the header a\r? has characters that HTTP cannot carry/);
    checkSendable({ ":path": "/", a: ["é", "b"], b: 1, c: undefined });
  });
});
