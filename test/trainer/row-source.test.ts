import { expect } from "chai";
import fc from "fast-check";
import { Random } from "../../lib/random.ts";
import { splitRows } from "../../lib/split.ts";
import type { RowReader } from "../../services/trainer/datasets/row-source.ts";
import { openRows } from "../../services/trainer/datasets/rows/open-rows.ts";
import { preparedInMemory } from "../../services/trainer/datasets/rows/prepared-in-memory.ts";

/** Row r is [r, r + 0.5] and its target is r. */
const data = (rowCount: number) => ({
  rowCount,
  featureCount: 2,
  features: Float32Array.from({ length: rowCount * 2 }, (_, index) => index / 2),
  targets: Int32Array.from({ length: rowCount }, (_, row) => row),
});

function rowsOf(reader: RowReader, atOnce = 3): number[] {
  const [features, targets] = [new Float32Array(atOnce * 2), new Int32Array(atOnce)];
  const rows: number[] = [];
  for (let count = reader.read(features, targets); count > 0; count = reader.read(features, targets)) {
    for (let row = 0; row < count; row++) {
      expect([features[row * 2], features[row * 2 + 1]]).to.deep.equal([targets[row], targets[row]! + 0.5]);
      rows.push(targets[row]!);
    }
  }
  return rows;
}

describe("rows in memory", () => {
  it("hold out the rows of the split that is a contract, and are read in the order of the file", () => {
    const prepared = preparedInMemory(data(50), 0.3, 7);
    const split = splitRows(50, 0.3, 7);
    expect(rowsOf(openRows(prepared.training).inOrder())).to.deep.equal([...split.training]);
    expect(rowsOf(openRows(prepared.validation).inOrder())).to.deep.equal([...split.validation]);
  });

  it("are shuffled anew in each epoch, by the seed, and from any row on", () => {
    const rows = openRows(preparedInMemory(data(50), 0, 7).training);
    const order = [...new Random(7, "epoch 2").permutation(50)];
    fc.assert(
      fc.property(fc.nat(50), fc.integer({ min: 1, max: 60 }), (firstRow, atOnce) => {
        expect(rowsOf(rows.shuffled(7, 2, firstRow), atOnce)).to.deep.equal(order.slice(firstRow));
      }),
    );
    expect(rowsOf(rows.shuffled(7, 3, 0))).to.not.deep.equal(order);
  });

  it("end when their reader is closed", () => {
    const reader = openRows(preparedInMemory(data(5), 0, 7).training).inOrder();
    reader.close();
    expect(rowsOf(reader)).to.deep.equal([]);
  });
});
