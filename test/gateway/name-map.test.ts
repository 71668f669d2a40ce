import { expect } from "chai";
import fc from "fast-check";
import { hashOf, hashOfAscii } from "../../lib/rendezvous.ts";
import { NameMap } from "../../services/gateway/name-map.ts";

const known = fc.constantFrom(...Array.from({ length: 20 }, (_, index) => `model-${index}`), "", "é", "\u00ff");
const changes = fc.array(fc.tuple(known, fc.option(fc.nat(), { nil: undefined })), { maxLength: 40 });

describe("a map by names", () => {
  it("has what a map of the language has after the same changes, and every state before stays as it was", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(known, fc.nat())), changes, (begun, steps) => {
        const wanted = new Map(begun);
        let map = NameMap.of<number>(begun);
        const states: [NameMap<number>, Map<string, number>][] = [[map, new Map(wanted)]];
        for (const [name, value] of steps) {
          if (value === undefined) wanted.delete(name);
          else wanted.set(name, value);
          map = value === undefined ? map.without(name) : map.with(name, value);
          states.push([map, new Map(wanted)]);
        }
        for (const [state, plain] of states) {
          expect(new Map(state)).to.deep.equal(plain);
          expect([state.size, state.get("model-1"), state.has("model-2")]).to.deep.equal([
            plain.size,
            plain.get("model-1"),
            plain.has("model-2"),
          ]);
          expect([[...state.keys()].sort(), [...state.values()].sort()]).to.deep.equal([
            [...plain.keys()].sort(),
            [...plain.values()].sort(),
          ]);
        }
      }),
    );
  });

  it("finds every name of thousands, and none that it has not, though their hashes lie close together", () => {
    const names = Array.from({ length: 5000 }, (_, index) => `m${index}`);
    const map = NameMap.of(names.map((name, index) => [name, index] as const));
    expect(names.every((name, index) => map.get(name) === index)).to.equal(true);
    expect(names.some((name) => map.has(`${name}x`))).to.equal(false);
  });

  it("knows a name by its bytes where they are ASCII, wherever they lie, and takes no other bytes for it", () => {
    fc.assert(
      fc.property(fc.array(known), fc.oneof(known, fc.string()), fc.nat(9), (names, name, offset) => {
        const map = NameMap.of(names.map((one) => [one, true] as const));
        const text = Buffer.from(name);
        const bytes = Buffer.concat([Buffer.alloc(offset, "m"), text, Buffer.from("m")]);
        const isKnown = names.includes(name) && text.every((byte) => byte < 0x80);
        expect(map.spelled(bytes, offset, offset + text.length)).to.equal(isKnown ? name : undefined);
        // As UTF-16 has it: bytes that are no UTF-8.
        const units = Buffer.from(name, "latin1");
        if (units.some((byte) => byte >= 0x80)) expect(map.spelled(units, 0, units.length)).to.equal(undefined);
      }),
    );
  });

  it("finds what it has just spelled, any other name, and in every state what that has", () => {
    const names = ["a", "b", "c"];
    const map = NameMap.of(names.map((name, index) => [name, index] as const));
    for (const name of names) {
      expect(map.spelled(Buffer.from(name), 0, 1)).to.equal(name);
      expect(names.map((one) => map.get(one))).to.deep.equal([0, 1, 2]);
      const [changed, left] = [map.with(name, 9), map.without(name)];
      expect([changed.get(name), left.get(name), map.get(name)]).to.deep.equal([9, undefined, names.indexOf(name)]);
    }
  });

  it("hashes the bytes of a name as the name itself", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii" }), (name) => {
        expect(hashOfAscii(Buffer.from(name))).to.equal(hashOf(name));
      }),
    );
  });
});
