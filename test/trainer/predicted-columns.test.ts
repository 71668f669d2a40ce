import { expect } from "chai";
import { checkExact } from "../../services/trainer/served/predicted-columns.ts";

describe("a column that is copied to predictions", () => {
  const copied = (...values: (string | undefined)[]) =>
    checkExact(
      [{ name: "id", kind: "number", type: "DOUBLE", isDecimal: true, width: 1 }],
      [values],
      (row) => `line ${row + 2}`,
    ).then(
      () => "copied",
      ({ message }: Error) => message,
    );

  it("is refused where a whole number in it is too large to be exact, by its row and name", async () => {
    expect(await copied("1.0", "1.2345678901234568e+18")).to.equal(
      'dataset: line 3, column "id" is about 1.2345678901234568e+18; needed: at most 9007199254740991 to be copied exactly, or a text',
    );
  });

  it("may have all others, and missing ones", async () => {
    expect(await copied(String(Number.MAX_SAFE_INTEGER), "-1.5", undefined)).to.equal("copied");
  });
});
