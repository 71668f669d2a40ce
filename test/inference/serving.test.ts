import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import { Random } from "../../lib/random.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { type DataType, elementBytes } from "../../lib/tensor.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { everyTypeModel, lookupModel, networkModel, sumAndDifferenceModel } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { typedElements } from "./typed-elements.ts";
import { bytesOf, rawTexts } from "./wire.ts";

const carried = Object.keys(elementBytes) as DataType[];

type HasContents = keyof typeof typedElements;
const withContents = Object.keys(typedElements) as HasContents[];
const typedOf = (dataType: HasContents, begin: number, end: number) => typedElements[dataType].contentsOf(begin, end);

describe("an inference node answers", () => {
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;

  before(async function () {
    this.timeout(60_000);
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    node = await startNode(folder.path, registry.address, { serverName: "triton" });
    const models = {
      network: networkModel(1),
      integers: sumAndDifferenceModel(),
      lookup: lookupModel(),
      types: everyTypeModel(carried, ["n"]),
      scalars: everyTypeModel(carried, []),
      typed: everyTypeModel(withContents, ["n"]),
      "typed-scalars": everyTypeModel(withContents, []),
    };
    const versions = Object.entries(models).map(([model, bytes]) => ({ model, version: 1, ...registry.store(bytes) }));
    registry.assign(...versions.map((version) => ({ ...version, aliases: ["default"] })));
    await registry.reported(
      ({ replicas }) => replicas.length === versions.length && replicas.every(({ state }) => state === "STATE_READY"),
    );
  });

  after(async () => {
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  const infer = (request: ModelInferRequest) => node.client.unary("ModelInfer", request, { timeoutMs: 10_000 });
  const integers: ModelInferRequest = {
    modelName: "integers",
    inputs: ["A", "B"].map((name) => ({ name, datatype: "INT64", shape: [1, 2] })),
    rawInputContents: [bytesOf(BigInt64Array.of(2n ** 62n, 5n)), bytesOf(BigInt64Array.of(1n, -3n))],
  };
  const sums = [bytesOf(BigInt64Array.of(2n ** 62n + 1n, 2n)), bytesOf(BigInt64Array.of(2n ** 62n - 1n, 8n))];

  it("what the bare runtime answers, bit for bit, also to many at once", async () => {
    const bare = await InferenceSession.create(networkModel(1));
    const random = new Random(7, "inputs");
    await Promise.all(
      [1, 2, 7, 33, 64].map(async (rows) => {
        const input = Float32Array.from({ length: rows * 64 }, () => random.uniform() - 0.5);
        const [reply, { y }] = await Promise.all([
          infer({
            modelName: "network",
            inputs: [{ name: "x", datatype: "FP32", shape: [rows, 64] }],
            rawInputContents: [bytesOf(input)],
          }),
          bare.run({ x: new Tensor("float32", input, [rows, 64]) }),
        ]);
        expect(reply.outputs).to.deep.include({
          name: "y",
          datatype: "FP32",
          shape: [String(rows), "10"],
          parameters: {},
          contents: null,
        });
        expect(reply.rawOutputContents[0].equals(bytesOf(y.data as Float32Array))).to.equal(true);
      }),
    );
    await bare.release();
  });

  it("with the request's id and the number of the version", async () => {
    const reply = await infer({ ...integers, id: "request 7" });
    expect(reply).to.include({ id: "request 7", modelName: "integers", modelVersion: "1" });
    expect(reply.outputs.map(({ name }) => name)).to.deep.equal(["SUM", "DIFFERENCE"]);
    expect(reply.rawOutputContents).to.deep.equal(sums);
  });

  it("only the outputs that are wanted, in their order", async () => {
    const reply = await infer({ ...integers, outputs: [{ name: "DIFFERENCE" }, { name: "SUM" }] });
    expect(reply.rawOutputContents).to.deep.equal(sums.toReversed());
    expect((await infer({ ...integers, outputs: [{ name: "SUM" }] })).rawOutputContents).to.deep.equal([sums[0]]);
  });

  it("the same to typed contents as to raw ones", async () => {
    const contents = [{ int64Contents: [String(2n ** 62n), 5] }, { int64Contents: [1, -3] }];
    const inputs = ["A", "B"].map((name, index) => ({
      name,
      datatype: "INT64",
      shape: [1, 2],
      contents: contents[index],
    }));
    expect((await infer({ modelName: "integers", inputs })).rawOutputContents).to.deep.equal(sums);
  });

  for (const [what, model, shape, begin, end] of [
    ["vectors", "typed", [4], 0, 4],
    ["empty tensors", "typed", [0], 0, 0],
    ["scalars", "typed-scalars", [], 0, 1],
    ["other scalars", "typed-scalars", [], 1, 2],
  ] as const) {
    it(`typed contents of every data type that has them with the raw bytes of the same elements: ${what}`, async () => {
      const inputs = withContents.map((dataType) => ({
        ...{ name: `x_${dataType}`, datatype: dataType, shape: [...shape] },
        contents: typedOf(dataType, begin, end),
      }));
      const reply = await infer({ modelName: model, inputs });
      expect(reply.outputs.map(({ datatype }) => datatype)).to.deep.equal(withContents);
      for (const output of reply.outputs) expect(output.shape).to.deep.equal(shape.map(String));
      const raw = withContents.map((dataType) => typedElements[dataType].rawOf(begin, end));
      expect(reply.rawOutputContents).to.deep.equal(raw);
      const rawInputs = inputs.map(({ contents: _, ...input }) => input);
      const again = await infer({ modelName: model, inputs: rawInputs, rawInputContents: raw });
      expect(again.rawOutputContents).to.deep.equal(raw);
    });
  }

  const random = new Random(3, "elements");
  const elements = (dataType: DataType, count: number): Buffer => {
    const texts = ["", "häß", "🙂 text", "x".repeat(5000)];
    if (dataType === "BYTES") {
      return rawTexts(...Array.from({ length: count }, (_, index) => texts[index] ?? `${index}`));
    }
    const size = elementBytes[dataType]!;
    const bytes = Buffer.from(Array.from({ length: count * size }, () => random.below(dataType === "BOOL" ? 2 : 256)));
    // Of BF16 every value but a NaN is kept bit for bit: an exponent below the largest makes a number.
    if (dataType === "BF16") for (let high = 1; high < bytes.length; high += 2) bytes[high] &= 0xbf;
    return bytes;
  };
  for (const [what, model, shape] of [
    ["vectors", "types", [4]],
    ["vectors that fill a large message", "types", [5000]],
    ["empty tensors", "types", [0]],
    ["scalars", "scalars", []],
  ] as const) {
    it(`with ${what} of every data type, every bit as it came`, async () => {
      const inputs = carried.map((dataType) => ({ name: `x_${dataType}`, datatype: dataType, shape: [...shape] }));
      const rawInputContents = carried.map((dataType) => elements(dataType, shape[0] ?? 1));
      const reply = await infer({ modelName: model, inputs, rawInputContents });
      expect(reply.outputs.map(({ datatype }) => datatype)).to.deep.equal(carried);
      for (const output of reply.outputs) expect(output.shape).to.deep.equal(shape.map(String));
      expect(reply.rawOutputContents).to.deep.equal(rawInputContents);
    });
  }

  it("who it is, whether it is ready, and what its models take and give", async () => {
    const { client } = node;
    expect(await client.unary("ServerLive", {})).to.deep.equal({ live: true });
    expect(await client.unary("ServerReady", {})).to.deep.equal({ ready: true });
    const server = await client.unary("ServerMetadata", {});
    const extensions = [
      "classification",
      "sequence",
      "schedule_policy",
      "model_configuration",
      "parameters",
      "statistics",
      "trace",
      "logging",
    ];
    expect(server).to.deep.include({ name: "triton", extensions });
    expect(server.version).to.match(/^\d+\.\d+\.\d+/);
    expect(await client.unary("ModelReady", { name: "network", version: "default" })).to.deep.equal({ ready: true });
    expect(await client.unary("ModelMetadata", { name: "network" })).to.deep.equal({
      name: "network",
      versions: ["1"],
      platform: "onnxruntime_onnx",
      inputs: [{ name: "x", datatype: "FP32", shape: ["-1", "64"] }],
      outputs: [{ name: "y", datatype: "FP32", shape: ["-1", "10"] }],
    });
  });

  it("calls of extensions that it does not serve with UNIMPLEMENTED", async () => {
    const fault = await node.client.unary("SystemSharedMemoryStatus", {}).catch(remoteFaultOf);
    expect(fault).to.include({ code: status.UNIMPLEMENTED });
  });

  const row = { name: "x", datatype: "FP32", shape: [1, 64] };
  const raw = bytesOf(new Float32Array(64));
  const bad: Record<string, [ModelInferRequest, keyof typeof status, string]> = {
    "an unknown model": [{ ...integers, modelName: "nope" }, "NOT_FOUND", "Request for unknown model: 'nope'"],
    "a model without a name": [{}, "NOT_FOUND", "Request for unknown model: ''"],
    "a name of a megabyte": [{ modelName: "m".repeat(1_000_000) }, "NOT_FOUND", "Request for unknown model: 'mmm"],
    "an unknown version": [{ ...integers, modelVersion: "2" }, "NOT_FOUND", "versions here: 1; aliases: 'default'"],
    "another data type": [
      { ...integers, modelName: "network", inputs: [{ ...row, datatype: "INT64" }], rawInputContents: [raw] },
      "INVALID_ARGUMENT",
      "has datatype 'INT64'; needed: 'FP32'",
    ],
    "another shape": [
      { modelName: "network", inputs: [{ ...row, shape: [64] }], rawInputContents: [raw] },
      "INVALID_ARGUMENT",
      "has shape [64]; needed: [batch, 64]",
    ],
    "another byte count": [
      { modelName: "network", inputs: [row], rawInputContents: [raw.subarray(1)] },
      "INVALID_ARGUMENT",
      "has 255 bytes; shape [1, 64] needs 256",
    ],
    "typed contents of a data type that has none": [
      {
        modelName: "types",
        inputs: carried.map((dataType) => {
          const contents = dataType in typedElements ? typedOf(dataType as HasContents, 0, 1) : { uintContents: [1] };
          return { name: `x_${dataType}`, datatype: dataType, shape: [1], contents };
        }),
      },
      "INVALID_ARGUMENT",
      "16, which travels only in raw_input_contents",
    ],
    "data that the runtime itself refuses": [
      {
        modelName: "lookup",
        inputs: [{ name: "x", datatype: "INT64", shape: [1], contents: { int64Contents: [99] } }],
      },
      "INVALID_ARGUMENT",
      "the model cannot take these inputs: ",
    ],
    "sizes of the same name that differ": [
      {
        modelName: "integers",
        inputs: [2, 3].map((rows, index) => ({ name: "AB"[index], datatype: "INT64", shape: [rows, 2] })),
        rawInputContents: [4, 6].map((count) => bytesOf(new BigInt64Array(count))),
      },
      "INVALID_ARGUMENT",
      "the model cannot take these inputs: ",
    ],
  };
  for (const [what, [request, code, text]] of Object.entries(bad)) {
    it(`${what} with ${code}, and the next call as ever`, async () => {
      const fault = await infer(request).then(() => expect.fail("the request was accepted"), remoteFaultOf);
      expect(status[fault.code]).to.equal(code);
      expect(fault.message).to.contain(text);
      expect((await infer(integers)).rawOutputContents).to.deep.equal(sums);
    });
  }
});
