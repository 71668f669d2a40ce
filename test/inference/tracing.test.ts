import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { scrape } from "../metrics/scrape.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { lookupModel, sumAndDifferenceModel } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { bytesOf } from "./wire.ts";

interface Trace {
  readonly id: number;
  readonly model_name: string;
  readonly model_version: number;
  readonly request_id: string;
  readonly timestamps: readonly { readonly name: string; readonly ns: number }[];
}

const phases = [
  "REQUEST_START",
  "QUEUE_START",
  "COMPUTE_START",
  "COMPUTE_INPUT_END",
  "COMPUTE_OUTPUT_START",
  "COMPUTE_END",
  "REQUEST_END",
];

describe("a node that traces", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;

  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    node = await startNode(folder.path, registry.address);
    const models = { sums: sumAndDifferenceModel(), lookup: lookupModel() };
    registry.assign(
      ...Object.entries(models).map(([model, bytes]) => ({
        model,
        version: 3,
        ...registry.store(bytes),
        aliases: ["default"],
        settings: { dynamicBatching: { maxBatchSize: 8 } },
      })),
    );
    await registry.reported(
      ({ replicas }) => replicas.length === 2 && replicas.every(({ state }) => state === "STATE_READY"),
    );
  });

  afterEach(async () => {
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  const traces = () => join(folder.path, "inference", "node-1", "traces");
  const tracesIn = async (name: string): Promise<Trace[]> => JSON.parse(await readFile(join(traces(), name), "utf8"));
  const say = async (settings: Readonly<Record<string, readonly string[]>>, modelName = "") => {
    const values = Object.entries(settings).map(([name, value]) => [name, { value: [...value] }]);
    const answer = await node.client.unary("TraceSetting", { modelName, settings: Object.fromEntries(values) });
    return Object.fromEntries(Object.entries(answer.settings).map(([name, { value }]) => [name, value]));
  };
  const sums = (id: string): ModelInferRequest => ({
    modelName: "sums",
    id,
    inputs: ["A", "B"].map((name) => ({ name, datatype: "INT64", shape: [1, 2] })),
    rawInputContents: [bytesOf(BigInt64Array.of(1n, 2n)), bytesOf(BigInt64Array.of(3n, 4n))],
  });
  /** Fails in the runtime where the index is beyond the table. */
  const lookup = (id: string, index = 0): ModelInferRequest => ({
    modelName: "lookup",
    id,
    inputs: [{ name: "x", datatype: "INT64", shape: [1], contents: { int64Contents: [index] } }],
  });
  const infer = (request: ModelInferRequest) => node.client.unary("ModelInfer", request, { timeoutMs: 10_000 });

  it("tells its settings, and changes those that are said", async () => {
    const presets = {
      trace_file: ["trace.json"],
      trace_level: ["OFF"],
      trace_rate: ["1000"],
      trace_count: ["-1"],
      log_frequency: ["0"],
      trace_mode: ["triton"],
    };
    expect(await say({})).to.deep.equal(presets);
    expect(await say({ trace_rate: ["7"] })).to.deep.equal({ ...presets, trace_rate: ["7"] });
    expect(await say({ trace_rate: ["2"] }, "sums")).to.deep.equal({ ...presets, trace_rate: ["2"] });
    expect(await say({}, "lookup")).to.deep.equal({ ...presets, trace_rate: ["7"] });
    expect(await say({ trace_rate: [] }, "sums")).to.deep.equal({ ...presets, trace_rate: ["7"] });
    const unknown = await say({}, "nope").catch(remoteFaultOf);
    expect(unknown)
      .to.include({ code: status.NOT_FOUND })
      .and.has.property("message")
      .contains("unknown model: 'nope'");
    const malformed = await say({ trace_rate: ["often"] }).catch(remoteFaultOf);
    expect(malformed).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
  });

  it("writes when each phase of a request began, in their order, also of requests that are joined", async () => {
    await say({ trace_level: ["TIMESTAMPS"], trace_rate: ["1"] });
    const ids = Array.from({ length: 40 }, (_, index) => `request ${index}`);
    await Promise.all(ids.map((id) => infer(sums(id))));
    await node.stop();
    const written = await tracesIn("trace.json");
    expect(written.map(({ request_id }) => request_id)).to.have.members(ids);
    expect(new Set(written.map(({ id }) => id)).size).to.equal(ids.length);
    for (const { model_name, model_version, timestamps } of written) {
      expect({ model_name, model_version }).to.deep.equal({ model_name: "sums", model_version: 3 });
      expect(timestamps.map(({ name }) => name)).to.deep.equal(phases);
      const times = timestamps.map(({ ns }) => ns);
      expect(times).to.deep.equal(times.toSorted((a, b) => a - b));
      expect(times.every(Number.isSafeInteger)).to.equal(true);
    }
  });

  it("traces what comes in a stream, and of what failed its beginning and its end", async () => {
    await say({ trace_level: ["TIMESTAMPS"], trace_rate: ["1"] });
    await infer(lookup("fails", 99)).catch(remoteFaultOf);
    const stream = node.client.duplex("ModelStreamInfer", { timeoutMs: 30_000 });
    await stream.write(sums("streamed"));
    stream.end();
    for await (const { errorMessage } of stream.replies) expect(errorMessage).to.equal("");
    await node.stop();
    const [failed, streamed] = await tracesIn("trace.json");
    expect(failed.timestamps.map(({ name }) => name)).to.deep.equal([phases[0], phases.at(-1)]);
    expect(streamed).to.include({ request_id: "streamed" });
    expect(streamed.timestamps.map(({ name }) => name)).to.deep.equal(phases);
  });

  it("traces a model by its own settings, until its count runs out, in files of so many traces", async () => {
    const own = { trace_level: ["TIMESTAMPS"], trace_rate: ["2"], trace_count: ["3"], log_frequency: ["2"] };
    await say({ ...own, trace_file: ["sums"] }, "sums");
    for (let index = 0; index < 12; index++) {
      await infer(sums(`${index}`));
      await infer(lookup(`${index}`));
    }
    expect(await say({}, "sums")).to.deep.include({ trace_count: ["0"] });
    while ((await scrape(node.service.metricsPort)).get("amaas_inference_traces_written_total") !== 3);
    await node.stop();
    expect((await readdir(traces())).sort()).to.deep.equal(["sums.0", "sums.1"]);
    const ids = (await Promise.all(["sums.0", "sums.1"].map(tracesIn))).map((list) =>
      list.map((one) => one.request_id),
    );
    expect(ids).to.deep.equal([["1", "3"], ["5"]]);
  });

  it("goes on without traces where they cannot be written", async () => {
    await node.stop();
    // Those of the node before say that the version is ready.
    registry.reports.length = 0;
    node = await startNode(folder.path, registry.address, { traceBytesMax: 1024 });
    await registry.reportedState("models/sums/versions/3", "STATE_READY");
    await say({ trace_level: ["TIMESTAMPS"], trace_rate: ["1"] });
    await say({ trace_level: ["TIMESTAMPS"] }, "sums");
    for (let index = 0; index < 10; index++) await infer(sums(`${index}`));
    while ((await say({}, "sums")).trace_level[0] !== "OFF") await infer(sums("more"));
    expect((await say({})).trace_level).to.deep.equal(["OFF"]);
    await node.stop();
    expect((await tracesIn("trace.json"))[0].request_id).to.equal("0");
  });
});
