import { expect } from "chai";
import { InferenceFixture } from "./inference-fixture.ts";

describe("predictions by HTTP", () => {
  const fixture = new InferenceFixture();
  const predict = async (body: unknown, headers: Record<string, string> = {}) => {
    const response = await fixture.post("/predict", body, headers);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  before(() => fixture.start());
  beforeEach(() => {
    fixture.forget();
  });
  afterEach(async () => {
    if (fixture.inputs[0]!.name !== "x") await relearn([{ name: "x", datatype: "FP32" }]);
  });
  after(() => fixture.stop());

  it("take values as they are, by the types of the model, and answer in the same way", async () => {
    const { body } = await predict({
      model: "digits",
      input: [
        [0, 0.5],
        [1, 2],
      ],
    });
    expect(body).to.deep.equal({
      model: "digits",
      version: "default",
      output: [
        [0, 0.5],
        [1, 2],
      ],
    });
    const { inputs, rawInputContents } = fixture.seen[0]!;
    expect(inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape }))).to.deep.equal([
      { name: "x", datatype: "FP32", shape: ["2", "2"] },
    ]);
    expect(rawInputContents[0]!.equals(Buffer.from(new Float32Array([0, 0.5, 1, 2]).buffer))).to.equal(true);
  });

  it("look up a version once", async () => {
    for (let round = 0; round < 3; round++) await predict({ model: "digits", input: [1], version: 1 });
    expect(fixture.methods.filter((method) => method === "ModelMetadata").length).to.be.at.most(1);
    expect(fixture.seen.map(({ modelVersion }) => modelVersion)).to.deep.equal(["1", "1", "1"]);
  });

  it("name their version by a number, an alias, or as model@alias, and of an alias with several targets choose one first", async () => {
    for (const request of [
      { model: "digits", version: "2" },
      { model: "digits", version: "default" },
      { model: "digits@default" },
    ]) {
      const { status, body } = await predict({ ...request, input: [1] });
      expect(status, JSON.stringify(request)).to.equal(200);
      expect(body.output).to.deep.equal([1]);
    }
    fixture.forget();
    await predict({ model: "digits", version: "both", input: [1] });
    expect(fixture.seen[0]!.modelVersion).to.match(/^[12]$/);
  });

  it("take and answer several tensors by their names, of whatever type", async () => {
    await relearn([
      { name: "a", datatype: "FP16" },
      { name: "b", datatype: "BYTES" },
      { name: "c", datatype: "INT64" },
    ]);
    const inputs = { a: [[1.5], [-2]], b: ["x", "é"], c: [1, "__big__"] };
    const text = JSON.stringify({ model: "digits", inputs }).replace('"__big__"', "9007199254740993");
    const { body } = await predict(text);
    // A reader that makes doubles of numbers would lose a digit of the last one.
    expect(body.outputs).to.deep.equal({ y: [[1.5], [-2]], b: ["x", "é"], c: [1, "9007199254740993"] });
  });

  it("answer by names where they were asked by names", async () => {
    expect((await predict({ model: "digits", inputs: { x: [1] } })).body.outputs).to.deep.equal({ y: [1] });
  });

  it("say numbers that are none as texts, and single values as such", async () => {
    expect((await predict('{"model":"digits","input":[NaN,-Infinity]}')).body.output).to.deep.equal([
      "NaN",
      "-Infinity",
    ]);
    expect((await predict({ model: "digits", input: 5 })).body.output).to.equal(5);
    expect((await predict({ model: "digits", input: [[], []] })).body.output).to.deep.equal([]);
  });

  for (const [what, body, status, message] of [
    ["no model", { input: [1] }, 400, /^model is missing; needed: the id of a model$/],
    ["neither input nor inputs", { model: "digits" }, 400, /^input is missing; needed: either input, or inputs/],
    ["both", { model: "digits", input: [1], inputs: {} }, 400, /^input is \[1\]; needed: either/],
    [
      "what it does not know",
      { model: "digits", imput: [1] },
      400,
      /^a member of the body is "imput"; needed: one of model, version/,
    ],
    [
      "an input that the model has not",
      { model: "digits", inputs: { z: [1] } },
      400,
      /^inputs is "z"; needed: the names of inputs: x$/,
    ],
    [
      "arrays of different lengths",
      { model: "digits", input: [[1], [2, 3]] },
      400,
      /^input has an array of 2 in its level 1/,
    ],
    [
      "a text where the model takes numbers",
      { model: "digits", input: ["a"] },
      400,
      /^input has "a" as element 0; needed: a number that FP32/,
    ],
    [
      "a model that is not there",
      { model: "digit", input: [1] },
      404,
      /^Request for unknown model: 'digit' is not found; models: digits/,
    ],
    [
      "a version that is not ready",
      { model: "digits", version: 3, input: [1] },
      503,
      /^version 3 of model 'digits' is not ready/,
    ],
  ] as const) {
    it(`are refused with ${what}`, async () => {
      const refused = await predict(body);
      expect(refused.status).to.equal(status);
      expect(refused.body.error).to.match(message);
      expect(fixture.seen).to.deep.equal([]);
    });
  }

  it("want the names where the model has several inputs", async () => {
    await relearn([
      { name: "a", datatype: "FP32" },
      { name: "b", datatype: "FP32" },
    ]);
    const { status, body } = await predict({ model: "digits", input: [1] });
    expect(status).to.equal(400);
    expect(body.error).to.equal("the model has 2 inputs; needed: inputs by their names, a, b");
  });

  /** Gives the model other inputs, as a registry would that was begun anew: a failed inference makes the gateway ask again. */
  async function relearn(inputs: InferenceFixture["inputs"]): Promise<void> {
    const { handle } = fixture.node;
    fixture.inputs = inputs;
    fixture.node.handle = (call, reply) => {
      if (!call.getPath().endsWith("/ModelInfer")) return handle(call, reply);
      reply({ code: 3, details: "other inputs are needed" });
    };
    await predict({ model: "digits", inputs: {} });
    fixture.node.handle = handle;
    fixture.forget();
  }
});
