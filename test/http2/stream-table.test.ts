import { expect } from "chai";
import fc from "fast-check";
import { StreamTable } from "../../lib/http2/stream-table.ts";

describe("the table of a connection's streams", () => {
  it("holds what a Map would", () => {
    const steps = fc.array(fc.record({ id: fc.nat(600), isSet: fc.boolean() }), { maxLength: 400 });
    fc.assert(
      fc.property(steps, (taken) => {
        const table = new StreamTable<string>();
        const map = new Map<number, string>();
        for (const { id, isSet } of taken) {
          if (isSet && !map.has(id)) {
            table.set(id, `stream ${id}`);
            map.set(id, `stream ${id}`);
          } else if (!isSet) {
            table.delete(id);
            map.delete(id);
          }
          expect([table.size, table.get(id)]).to.deep.equal([map.size, map.get(id)]);
        }
        const streams: string[] = [];
        table.forEach((stream) => void streams.push(stream));
        expect(streams).to.have.members([...map.values()]);
      }),
    );
  });
});
