import { expect } from "chai";
import fc from "fast-check";
import { type JsonValue, jsonText, parseJson } from "../../../services/gateway/rest/json-text.ts";

const standard = { isNonFiniteAllowed: false };
const lenient = { isNonFiniteAllowed: true };

/** What `JSON.parse` would give for it. */
function plain(value: JsonValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, member]) => [key, plain(member)]));
  return Array.isArray(value) ? value.map(plain) : typeof value === "bigint" ? Number(value) : value;
}

describe("the JSON of requests", () => {
  it("means what JSON.parse says", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 10, noUnicodeString: false }), (text) => {
        expect(plain(parseJson(text, standard))).to.deep.equal(JSON.parse(text));
      }),
    );
  });

  it("is refused wherever JSON.parse refuses it", () => {
    const soup = fc.string({ unit: fc.constantFrom(...'{}[]:,"\\/ \n0123.-+eEuntrfals\u0001') });
    fc.assert(
      fc.property(soup, (text) => {
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(() => parseJson(text, standard)).to.throw(/^the body /);
          return;
        }
        const isOdd = /"(.*)".*:.*"\1".*:/s.test(text) || /\d{16}|e\+?\d{3}/i.test(text);
        if (!isOdd) expect(plain(parseJson(text, standard))).to.deep.equal(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it("comes back from its text with every digit", () => {
    const value = fc.letrec<{ any: JsonValue }>((tie) => ({
      any: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, false),
        fc.double(),
        fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
        fc.string({ unit: "binary" }),
        fc.array(tie("any"), { maxLength: 5 }),
        fc.array(fc.tuple(fc.string(), tie("any")), { maxLength: 5 }).map((members) => new Map(members)),
      ),
    })).any;
    fc.assert(
      fc.property(value, (any) => {
        const text = jsonText(any);
        expect(jsonText(parseJson(text, lenient))).to.equal(text);
      }),
    );
  });

  it("keeps whole numbers outside of what a double holds exactly", () => {
    expect(parseJson("[9007199254740991, 9007199254740993, -18446744073709551615]", standard)).to.deep.equal([
      9007199254740991,
      9007199254740993n,
      -18446744073709551615n,
    ]);
  });

  it("has no key that means something by itself", () => {
    const value = parseJson('{"__proto__": {"admin": true}, "constructor": 1}', standard) as ReadonlyMap<
      string,
      JsonValue
    >;
    expect([...value.keys()]).to.deep.equal(["__proto__", "constructor"]);
    expect(({} as { admin?: boolean }).admin).to.equal(undefined);
  });

  for (const [what, text, message] of [
    ["a key twice", '{"a": 1, "b": {"a": 1}, "a": 2}', 'the body has the key "a" twice in one object'],
    [
      "a giant number",
      "[1e400]",
      'the body has the number "1e400"; needed: one that a double holds, in 400 characters',
    ],
    ["65 levels", `${"[".repeat(65)}${"]".repeat(65)}`, "the body has more than 64 levels of arrays and objects"],
    ["NaN", "[NaN]", 'the body is no JSON: at character 1 it has "NaN]"; needed: a value'],
    ["half of a pair", '["a\\ud800"]', "needed: a string whose surrogates are pairs"],
    ["half of a pair in a key", '{"\\udc00": 1}', "needed: a string whose surrogates are pairs"],
    ["nothing", " ", "the body is no JSON: at character 1 it has the end; needed: a value"],
    ["more than one value", "1 2", 'the body is no JSON: at character 2 it has "2"; needed: the end'],
  ] as const) {
    it(`is refused with ${what}`, () => {
      expect(() => parseJson(text, standard)).to.throw(message);
    });
  }

  it("may hold NaN and infinities where Triton's would", () => {
    expect(parseJson("[NaN, Infinity, -Infinity, Inf, -Inf]", lenient)).to.deep.equal([
      NaN,
      Infinity,
      -Infinity,
      Infinity,
      -Infinity,
    ]);
    expect(jsonText([NaN, -Infinity, 0.5])).to.equal("[NaN,-Infinity,0.5]");
  });

  it("is refused with more than a million arrays, however short it is", () => {
    expect(() => parseJson(`[${"[],".repeat(1_000_000)}[]]`, standard)).to.throw(
      /more than 1000000 arrays and objects/,
    );
  });
});
