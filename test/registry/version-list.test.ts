import { expect } from "chai";
import fc from "fast-check";
import { versionAt, withVersions } from "../../services/registry/control/version-list.ts";
import { versionOf } from "./plan-inputs.ts";

const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 30 }));
const renewals = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.boolean()), {
  selector: ([number]) => number,
});

describe("a list of versions", () => {
  it("finds each by its number, and with some renewed has the new ones, the others, and none that is gone", () => {
    fc.assert(
      fc.property(numbers, renewals, (before, renewed) => {
        const list = before.sort((a, b) => a - b).map((number) => versionOf(number));
        for (let number = 0; number <= 31; number++) {
          expect(versionAt(list, number)).to.equal(list.find((version) => version.number === number));
        }
        const changes = new Map(
          renewed.map(([number, isThere]) => [
            number,
            isThere ? versionOf(number, { state: "DEPRECATED" }) : undefined,
          ]),
        );
        const kept = list.filter(({ number }) => !changes.has(number));
        const there = [...changes.values()].filter((version) => version !== undefined);
        const wanted = [...kept, ...there].sort((a, b) => a.number - b.number);
        expect(withVersions(list, changes)).to.have.ordered.members(wanted);
      }),
    );
  });
});
