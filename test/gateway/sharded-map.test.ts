import { expect } from "chai";
import fc from "fast-check";
import { ShardedMap } from "../../services/gateway/sharded-map.ts";

const key = fc.constantFrom(...Array.from({ length: 20 }, (_, index) => `model-${index}`));
const changes = fc.array(fc.tuple(key, fc.option(fc.nat(), { nil: undefined })), { maxLength: 40 });

describe("a sharded map", () => {
  it("has what a map of the language has after the same changes, and every state before stays as it was", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.nat())), changes, (begun, steps) => {
        const wanted = new Map(begun);
        let map = ShardedMap.of<number>(begun);
        const states: [ShardedMap<number>, Map<string, number>][] = [[map, new Map(wanted)]];
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
});
