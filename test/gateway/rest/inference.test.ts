import { deflateSync, gzipSync } from "node:zlib";
import { expect } from "chai";
import { InferenceFixture } from "./inference-fixture.ts";

const path = "/v2/models/digits/infer";
const input = (more: object) => ({ name: "x", datatype: "FP32", shape: [2], ...more });

describe("inference by HTTP", () => {
  const fixture = new InferenceFixture();
  const post: InferenceFixture["post"] = (...request) => fixture.post(...request);
  const get = async (path: string) => {
    const response = await fixture.get(path);
    return { status: response.status, text: await response.text() };
  };

  before(() => fixture.start({ AMAAS_SERVER_NAME: "triton", AMAAS_GATEWAY_JSON_BYTES_MAX: "65536" }));
  beforeEach(() => fixture.forget());
  after(() => fixture.stop());

  it("tells of the server and of models as Triton does", async () => {
    expect(JSON.parse((await get("/v2")).text)).to.include({ name: "triton" });
    expect(await get("/v2/health/live")).to.deep.equal({ status: 200, text: '{"live":true}' });
    expect(await get("/v2/health/ready")).to.deep.equal({ status: 200, text: '{"ready":true}' });
    expect((await get("/v2/models/digits")).text).to.equal(
      '{"name":"digits","versions":["1","2"],"platform":"onnx",' +
        '"inputs":[{"name":"x","datatype":"FP32","shape":[-1,9007199254740993]}],' +
        '"outputs":[{"name":"y","datatype":"FP32","shape":[-1,9007199254740993]}]}',
    );
    const config = JSON.parse((await get("/v2/models/digits/versions/1/config")).text);
    expect(config).to.deep.nested.include({
      name: "digits",
      max_batch_size: 8,
      "input[0].dims": [4],
      "input[0].data_type": "TYPE_INVALID",
    });
    expect((await get("/v2/models/digits/stats")).text).to.contain('"inference_count":18446744073709551615');
  });

  it("says by the status whether a model is ready", async () => {
    expect(await get("/v2/models/digits/ready")).to.deep.equal({ status: 200, text: '{"name":"digits","ready":true}' });
    expect(await get("/v2/models/digits/versions/3/ready")).to.deep.equal({
      status: 503,
      text: '{"name":"digits","ready":false}',
    });
    expect((await get("/v2/models/nobody/ready")).status).to.equal(404);
  });

  it("lists and controls the repository", async () => {
    const all = await (await post("/v2/repository/index", "")).json();
    expect(all).to.deep.include({ name: "digits", version: "3", state: "UNAVAILABLE", reason: "it is loading" });
    const ready = (await (await post("/v2/repository/index", { ready: true })).json()) as {
      name: string;
      version: string;
    }[];
    expect(ready.map(({ name, version }) => `${name}/${version}`)).to.deep.equal(["digits/1", "digits/2", "limited/1"]);
    expect((await post("/v2/repository/models/digits/load", { parameters: { config: "{}" } })).status).to.equal(200);
    expect((await post("/v2/repository/models/digits/unload", "")).status).to.equal(200);
    expect(fixture.methods).to.deep.equal(["RepositoryModelLoad", "RepositoryModelUnload"]);
  });

  it("runs values of JSON, flat or nested, and says who answered", async () => {
    const response = await post("/v2/models/digits/versions/1/infer", {
      id: "7",
      parameters: { priority: 1, sequence_id: 9007199254740993n.toString(), timeout: 5000.5, flag: true },
      inputs: [
        input({
          shape: [2, 2],
          data: [
            [1, 2.5],
            [3, 4],
          ],
        }),
        input({ name: "z", datatype: "BYTES", data: ["é", ""] }),
      ],
      outputs: [{ name: "y", parameters: { classification: 2 } }],
    });
    expect(await response.json()).to.deep.equal({
      id: "7",
      model_name: "digits",
      model_version: "1",
      parameters: { sequence_end: true },
      outputs: [
        { name: "y", datatype: "FP32", shape: [2, 2], data: [1, 2.5, 3, 4] },
        { name: "z", datatype: "BYTES", shape: [2], data: ["é", ""] },
      ],
    });
    expect(response.headers.get("amaas-version")).to.equal("1");
    expect(response.headers.get("amaas-node")).to.equal(fixture.node.address);
    expect(fixture.seen[0]).to.deep.nested.include({
      modelName: "digits",
      modelVersion: "1",
      "parameters.priority.int64Param": "1",
      "parameters.timeout.doubleParam": 5000.5,
      "parameters.flag.boolParam": true,
      "outputs[0].parameters.classification.int64Param": "2",
    });
  });

  it("keeps whole numbers of 64 bits, and numbers that are none, as Triton does", async () => {
    const body =
      '{"inputs":[{"name":"x","datatype":"INT64","shape":[2],"data":[9223372036854775807,-9223372036854775808]},' +
      '{"name":"z","datatype":"FP64","shape":[3],"data":[NaN,-Infinity,0.1]}]}';
    const text = await (await post(path, body)).text();
    expect(text)
      .to.contain('"data":[9223372036854775807,-9223372036854775808]')
      .and.to.contain('"data":[NaN,-Infinity,0.1]');
  });

  it("takes tensors as binary data, and answers with it where that is asked for", async () => {
    const half = Buffer.from([0, 0x3c, 0, 0x40]);
    const float = Buffer.from(new Float32Array([1, -2]).buffer);
    const head = Buffer.from(
      JSON.stringify({
        inputs: [
          input({ datatype: "FP16", parameters: { binary_data_size: 4 } }),
          input({ name: "z", parameters: { binary_data_size: 8 } }),
        ],
        outputs: [{ name: "y", parameters: { binary_data: true } }, { name: "z" }],
      }),
    );
    const headers = { "inference-header-content-length": String(head.length) };
    for (const compress of [(bytes: Buffer) => bytes, gzipSync, deflateSync]) {
      const encoding = compress === gzipSync ? "gzip" : compress === deflateSync ? "deflate" : "identity";
      const body = compress(Buffer.concat([head, half, float]));
      const response = await post(path, body, { ...headers, "content-encoding": encoding });
      expect(response.status).to.equal(200);
      const answer = Buffer.from(await response.arrayBuffer());
      const length = Number(response.headers.get("inference-header-content-length"));
      expect(JSON.parse(answer.toString("utf8", 0, length)).outputs).to.deep.equal([
        { name: "y", datatype: "FP16", shape: [2], parameters: { binary_data_size: 4 } },
        { name: "z", datatype: "FP32", shape: [2], data: [1, -2] },
      ]);
      expect(answer.subarray(length).equals(half)).to.equal(true);
    }
    expect(fixture.seen[0]!.rawInputContents.map((raw) => raw.toString("hex"))).to.deep.equal([
      half.toString("hex"),
      float.toString("hex"),
    ]);
  });

  it("answers with binary data only, where all of it is asked for so", async () => {
    const response = await post(path, { parameters: { binary_data_output: true }, inputs: [input({ data: [1, 2] })] });
    expect(response.headers.get("content-type")).to.equal("application/octet-stream");
    expect(fixture.seen[0]!.parameters).to.deep.equal({});
  });

  const f16 = { name: "x", datatype: "FP16", shape: [1] };
  for (const [what, body, message] of [
    ["nothing", "", /^the body is missing; needed: an object$/],
    ["no inputs", { inputs: [] }, /^inputs is \[\]; needed: at least one$/],
    ["an input without a name", { inputs: [{ shape: [1] }] }, /^name of inputs\[0\] is missing; needed: a string/],
    [
      "a data type that is none",
      { inputs: [input({ datatype: "FP8" })] },
      /^inputs\[0\].datatype is "FP8"; needed: one of BOOL/,
    ],
    [
      "__proto__ as a data type",
      { inputs: [input({ datatype: "__proto__" })] },
      /^inputs\[0\].datatype is "__proto__"/,
    ],
    [
      "a negative size",
      { inputs: [input({ shape: [-1] })] },
      /^inputs\[0\].shape is \[-1\]; needed: an array of whole numbers from 0/,
    ],
    [
      "a shape without bound",
      { inputs: [input({ shape: [1e9, 1e9] })] },
      /^inputs\[0\].shape is \[1000000000,1000000000\]; needed: the shape of fewer than/,
    ],
    [
      "no data",
      { inputs: [input({})] },
      /^inputs\[0\].data is missing; needed: its elements, or parameters.binary_data_size/,
    ],
    [
      "too little data",
      { inputs: [input({ data: [1] })] },
      /^inputs\[0\].data has 1 elements; needed: 2, as its shape \[2\] says/,
    ],
    [
      "halves in JSON",
      { inputs: [{ ...f16, data: [1] }] },
      /^receiving FP16 data via JSON is not supported. Please use the binary data format for input x/,
    ],
    [
      "a size without data",
      { inputs: [input({ parameters: { binary_data_size: 8 } })] },
      /binary_data_size is 8; needed: a number of bytes up to 0/,
    ],
    [
      "a parameter of no kind",
      { parameters: { a: [1] }, inputs: [input({ data: [1, 2] })] },
      /^parameters.a is \[1\]; needed: true, false/,
    ],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const response = await post(path, body);
      expect(response.status).to.equal(400);
      const { error, code } = (await response.json()) as { error: string; code: number };
      expect(error).to.match(message);
      expect(code).to.equal(3);
      expect(fixture.methods).to.deep.equal([]);
    });
  }

  it("refuses binary data that nobody has announced, and a length of the JSON that is none", async () => {
    const head = Buffer.from(JSON.stringify({ inputs: [input({ data: [1, 2] })] }));
    const left = await post(path, Buffer.concat([head, Buffer.alloc(3)]), {
      "inference-header-content-length": String(head.length),
    });
    expect(await left.json()).to.have.property(
      "error",
      "the body has 3 bytes of binary data; needed: 0, as its inputs say",
    );
    for (const length of ["0", "-1", "1e3", "999999"]) {
      expect((await post(path, head, { "inference-header-content-length": length })).status).to.equal(400);
    }
  });

  it("says no more in JSON than it reads, and the rest as binary data", async () => {
    const head = (more: object) =>
      Buffer.from(
        JSON.stringify({ inputs: [input({ shape: [8193], parameters: { binary_data_size: 4 * 8193 } })], ...more }),
      );
    const send = (json: Buffer) =>
      post(path, Buffer.concat([json, Buffer.alloc(4 * 8193)]), {
        "inference-header-content-length": String(json.length),
      });
    const refused = await send(head({}));
    expect(refused.status).to.equal(400);
    expect(await refused.json()).to.have.property(
      "error",
      "outputs y are about 65544 bytes of JSON; needed: at most 65536, or to ask for them as binary data",
    );
    expect((await send(head({ parameters: { binary_data_output: true } }))).status).to.equal(200);
  });

  it("refuses to say halves in JSON, as Triton does", async () => {
    const head = Buffer.from(JSON.stringify({ inputs: [{ ...f16, parameters: { binary_data_size: 2 } }] }));
    const response = await post(path, Buffer.concat([head, Buffer.alloc(2)]), {
      "inference-header-content-length": String(head.length),
    });
    expect(response.status).to.equal(400);
    expect(((await response.json()) as { error: string }).error).to.match(
      /^sending FP16 data via JSON is not supported/,
    );
  });

  it("says what clients look for when a model does not exist, and when a version is not ready", async () => {
    const unknown = await post("/v2/models/digit/infer", { inputs: [input({ data: [1, 2] })] });
    expect(unknown.status).to.equal(404);
    expect(((await unknown.json()) as { error: string }).error).to.match(
      /^Request for unknown model: 'digit' is not found/,
    );
    const loading = await post("/v2/models/digits/versions/3/infer", { inputs: [input({ data: [1, 2] })] });
    expect(loading.status).to.equal(503);
    expect(loading.headers.get("retry-after")).to.equal("1");
  });

  it("holds principals to the limits of a model, and to the same ones in predictions", async () => {
    const ask = (
      principal: string,
      to = "/v2/models/limited/infer",
      body: object = { inputs: [input({ data: [1, 2] })] },
    ) => post(to, body, { "amaas-principal": principal });
    expect((await ask("me")).status).to.equal(200);
    const refused = await ask("me");
    expect(refused.status).to.equal(429);
    expect(Number(refused.headers.get("retry-after"))).to.be.above(0);
    expect(await refused.json()).to.have.property("code", 8);
    expect((await ask("me", "/predict", { model: "limited", input: [1] })).status).to.equal(429);
    expect((await ask("you", "/predict", { model: "limited", input: [1] })).status).to.equal(200);
  });

  it("refuses what the gateway refuses by gRPC too", async () => {
    expect((await get("/v2/trace/setting")).status).to.equal(404);
    expect((await get("/v2/models/a%2F..%2Fb/ready")).status).to.equal(404);
  });
});
