import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { Random } from "../../lib/random.ts";
import { splitRows } from "../../lib/split.ts";
import type { DiskStorage, RowReader } from "../../services/trainer/datasets/row-source.ts";
import { DiskWriter } from "../../services/trainer/datasets/rows/disk-writer.ts";
import { MemoryWriter } from "../../services/trainer/datasets/rows/memory-writer.ts";
import { openRows } from "../../services/trainer/datasets/rows/open-rows.ts";
import { preparedInMemory } from "../../services/trainer/datasets/rows/prepared-in-memory.ts";
import { RowOrder } from "../../services/trainer/datasets/rows/row-order.ts";
import type { RowWidths } from "../../services/trainer/datasets/rows/row-writer.ts";

/** Row r is r and then halves, and its target is r. */
const tableOf = (rowCount: number, width = 2) => ({
  rowCount,
  featureCount: width,
  features: Float32Array.from({ length: rowCount * width }, (_, index) =>
    index % width === 0 ? index / width : Math.floor(index / width) + 0.5,
  ),
  targets: Int32Array.from({ length: rowCount }, (_, row) => row),
});

function rowsOf(reader: RowReader, atOnce = 3, width = 2): number[] {
  const [features, targets] = [new Float32Array(atOnce * width), new Int32Array(atOnce)];
  const rows: number[] = [];
  for (let count = reader.read(features, targets); count > 0; count = reader.read(features, targets)) {
    for (let row = 0; row < count; row++) {
      if (features[row * width] !== targets[row] || features[(row + 1) * width - 1] !== targets[row]! + 0.5) {
        expect.fail(`row ${targets[row]} has the features ${features.subarray(row * width, (row + 1) * width)}`);
      }
      rows.push(targets[row]!);
    }
  }
  return rows;
}

describe("rows in memory", () => {
  it("hold out the rows of the split that is a contract, and are read in the order of the file", () => {
    const prepared = preparedInMemory(tableOf(50), 0.3, 7);
    const split = splitRows(50, 0.3, 7);
    expect(rowsOf(openRows(prepared.training).inOrder())).to.deep.equal([...split.training]);
    expect(rowsOf(openRows(prepared.validation).inOrder())).to.deep.equal([...split.validation]);
  });

  it("are shuffled anew in each epoch, by the seed, and from any row on", () => {
    const rows = openRows(preparedInMemory(tableOf(50), 0, 7).training);
    const order = [...new Random(7, "epoch 2").permutation(50)];
    fc.assert(
      fc.property(fc.nat(50), fc.integer({ min: 1, max: 60 }), (firstRow, atOnce) => {
        expect(rowsOf(rows.shuffled(7, 2, firstRow), atOnce)).to.deep.equal(order.slice(firstRow));
      }),
    );
    expect(rowsOf(rows.shuffled(7, 3, 0))).to.not.deep.equal(order);
  });

  it("end when their reader is closed", () => {
    const reader = openRows(preparedInMemory(tableOf(5), 0, 7).training).inOrder();
    reader.close();
    expect(rowsOf(reader)).to.deep.equal([]);
  });
});

describe("the order of rows", () => {
  it("has every row once, whatever their size, and is the same from any row on", () => {
    const sizes = [fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 4, max: 2 ** 20 })] as const;
    fc.assert(
      fc.property(...sizes, fc.nat(5), fc.boolean(), (rowCount, rowBytes, epoch, isShuffled) => {
        const order = new RowOrder(rowCount, rowBytes, isShuffled ? { seed: 1, epoch } : undefined);
        const rows: number[] = [];
        for (let window = 0; window < order.windowCount; window++) {
          expect(order.windowWith(rows.length)).to.deep.equal({ window, before: 0 });
          const lying = order
            .blocksOf(window)
            .flatMap((block) => Array.from({ length: block.rowCount }, (_, index) => block.firstRow + index));
          expect(lying.length).to.be.at.most(order.windowRows);
          rows.push(...Array.from(order.placesIn(window), (place) => lying[place]!));
        }
        const all = Array.from({ length: rowCount }, (_, row) => row);
        expect(isShuffled ? rows.toSorted((a, b) => a - b) : rows).to.deep.equal(all);
      }),
      { numRuns: 20 },
    );
  });
});

describe("rows on disk", function () {
  this.timeout(60_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "amaas-rows-"));
  });
  after(() => rm(folder, { recursive: true }));

  /** So wide that they take three windows and a part of one. */
  const [width, rowCount] = [4096, 4000];
  const widths: RowWidths = { featureCount: width, targetCount: 1, featureType: "FP32", targetType: "INT32" };
  const part = (row: number) => (row % 1000 === 1 ? 2 : row % 10 === 0 ? 1 : 0);

  /** Writes rows a hundred at a time. */
  async function written(writer: DiskWriter | MemoryWriter) {
    for (let first = 0; first < rowCount; first += 100) {
      const features = new Float32Array(100 * width);
      const rows = Int32Array.from({ length: 100 }, (_, index) => first + index);
      for (const [index, row] of rows.entries()) {
        features[index * width] = row;
        features[(index + 1) * width - 1] = row + 0.5;
      }
      await writer.add(features, rows, Uint8Array.from(rows, part));
    }
    const all = await writer.finished();
    await writer.close();
    return all;
  }

  it("are the rows in memory, in the same order, in every epoch and from any row on", async () => {
    const onDisk = await written(await DiskWriter.create(widths, folder));
    const ofPart = (wanted: number) =>
      Array.from({ length: rowCount }, (_, row) => row).filter((row) => part(row) === wanted);
    expect(rowsOf(openRows(onDisk.validation).inOrder(), 64, width)).to.deep.equal(ofPart(1));
    const disk = openRows(onDisk.training);
    expect(disk).to.include({ rowCount: ofPart(0).length, featureCount: width, targetCount: 1 });
    const inMemory = await written(new MemoryWriter(widths, ofPart(0).length, ofPart(1).length));
    const memory = openRows(inMemory.training);
    expect(rowsOf(openRows(inMemory.validation).inOrder(), 64, width)).to.deep.equal(ofPart(1));
    const order = rowsOf(memory.shuffled(3, 1, 0), 64, width);
    expect(order.toSorted((a, b) => a - b)).to.deep.equal(ofPart(0));
    expect(order.slice(0, 1000).toSorted((a, b) => a - b)).to.not.deep.equal(ofPart(0).slice(0, 1000));
    for (const firstRow of [0, 2047, order.length - 1, order.length]) {
      expect(rowsOf(disk.shuffled(3, 1, firstRow), 100, width)).to.deep.equal(order.slice(firstRow));
    }
    expect(rowsOf(disk.shuffled(3, 2, 0), 64, width)).to.deep.equal(rowsOf(memory.shuffled(3, 2, 0), 64, width));
  });

  it("tell how long they were waited for, and end when their reader is closed", async () => {
    const { training } = await written(await DiskWriter.create(widths, folder));
    const reader = openRows(training).shuffled(3, 1, 0);
    expect(reader.read(new Float32Array(width), new Int32Array(1))).to.equal(1);
    expect(reader.waitedMs).to.be.above(0);
    reader.close();
    expect(rowsOf(reader, 3, width)).to.deep.equal([]);
  });

  it("end with an error where their file has ended too early", async () => {
    const training = (await written(await DiskWriter.create(widths, folder))).training as DiskStorage;
    await truncate(training.path, 1000);
    const reader = openRows(training).inOrder();
    expect(() => rowsOf(reader, 3, width)).to.throw("the rows cannot be read: the file ends at byte 1000");
    const lost = openRows({ ...training, path: join(folder, "lost.rows") }).inOrder();
    expect(() => rowsOf(lost, 3, width)).to.throw("the rows cannot be read: ENOENT");
  });
});
