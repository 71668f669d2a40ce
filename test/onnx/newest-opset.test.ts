import { expect } from "chai";
import { integerOf, readModel } from "../../lib/onnx/model.ts";
import { newestOpset } from "../../lib/onnx/newest-opset.ts";

describe("the newest operator set", () => {
  /** A runtime that loads versions up to `newest`, and what it was asked for. */
  const runtimeOf = (domain: string, newest: number) => {
    const asked: number[] = [];
    const loads = async (bytes: Uint8Array) => {
      const { version } = readModel(bytes).opsetImport!.find((entry) => entry.domain === domain)!;
      asked.push(integerOf(version!));
      return asked.at(-1)! <= newest;
    };
    return { loads, asked };
  };

  for (const domain of ["", "ai.onnx.ml"]) {
    it(`of the domain "${domain}" is found whatever it is, by few attempts`, async () => {
      for (let newest = 0; newest < 70; newest++) {
        const { loads, asked } = runtimeOf(domain, newest);
        expect(await newestOpset(domain, loads)).to.equal(newest);
        expect(asked.length).to.be.at.most(14);
        expect(Math.min(...asked)).to.be.at.least(1);
      }
    });
  }

  it("has an end even where everything is loaded", async () => {
    expect(await newestOpset("", runtimeOf("", Infinity).loads)).to.be.greaterThan(1000);
  });
});
