import { expect } from "chai";
import { checkExact } from "../../services/trainer/served/predicted-columns.ts";

describe("a column that is copied to predictions", () => {
  const copied = (...values: number[]) =>
    checkExact(
      [{ name: "id", kind: "number", width: 1 }],
      [Float64Array.from(values)],
      (row) => `line ${row + 2}`,
    ).then(
      () => "copied",
      ({ message }: Error) => message,
    );

  it("is refused where a whole number in it is too large to be exact, by its row and name", async () => {
    expect(await copied(1, Number("1234567890123456789"))).to.equal(
      'dataset: line 3, column "id" is about 1234567890123456800; needed: at most 9007199254740991 to be copied exactly, or a text',
    );
  });

  it("may have all others, and missing ones", async () => {
    expect(await copied(Number.MAX_SAFE_INTEGER, -1.5, Number.NaN, Number.POSITIVE_INFINITY)).to.equal("copied");
  });
});
