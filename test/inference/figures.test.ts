import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { DynamicBatching } from "../../lib/gen/amaas/registry/v1/DynamicBatching.ts";
import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import type { ModelStatistics__Output as Statistics } from "../../lib/gen/inference/ModelStatistics.ts";
import type { RpcOptions } from "../../lib/rpc/client.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { startThread } from "../../lib/start-thread.ts";
import type { StartWorker, WorkerThread } from "../../services/inference/worker/worker-thread.ts";
import { scrape } from "../metrics/scrape.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { identityModel } from "./models.ts";
import { gateIndex, orders, runCountIndex } from "./obedient-thread.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";

const dynamicBatching: DynamicBatching = { maxBatchSize: 8 };
const failureReasons = ["REJECTED", "CANCELED", "BACKEND", "OTHER"];

describe("the figures of a node", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;
  let shared: Int32Array;
  const echo = () => ({
    model: "echo",
    version: 1,
    ...registry.store(identityModel("UINT8", ["n"])),
    aliases: ["default"],
    settings: { dynamicBatching },
  });

  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    shared = new Int32Array(new SharedArrayBuffer(8));
    registry.assign(echo());
    const startWorker: StartWorker = (threadStart) =>
      startThread(new URL("./obedient-thread", import.meta.url), {
        workerData: { ...threadStart, shared },
      }) as WorkerThread;
    const queue = { requestsMax: 3, rowsMax: 1000, bytesMax: 1000 };
    node = await startNode(folder.path, registry.address, { queue }, { startWorker });
    await registry.reportedState("models/echo/versions/1", "STATE_READY");
  });

  afterEach(async () => {
    openGate();
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  const openGate = () => {
    Atomics.store(shared, gateIndex, 1);
    Atomics.notify(shared, gateIndex);
  };
  /** Sends as many rows; answers how it went. */
  const send = async (order: number, rowCount: number, options: RpcOptions = {}): Promise<string> => {
    const inputs = [{ name: "x", datatype: "UINT8", shape: [rowCount] }];
    const rawInputContents = [Buffer.alloc(rowCount, order)];
    return node.client.unary("ModelInfer", { modelName: "echo", inputs, rawInputContents }, options).then(
      () => "answered",
      (thrown) => {
        const { code, reason } = remoteFaultOf(thrown);
        return reason ?? status[code];
      },
    );
  };
  const runsReach = async (count: number) => {
    while (Atomics.load(shared, runCountIndex) < count) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  const waitingReach = async (count: number) => {
    while ((await figure("nv_inference_pending_request_count")) !== count);
  };
  const statistics = async (name = "echo", version = ""): Promise<Statistics> => {
    const { modelStats } = await node.client.unary("ModelStatistics", { name, version });
    return modelStats[0];
  };
  const figures = () => scrape(node.service.metricsPort);
  const figure = async (name: string) => (await figures()).get(`${name}{model="echo",version="1"}`);
  const failures = async () => {
    const seen = await figures();
    return failureReasons.map((reason) =>
      seen.get(`nv_inference_request_failure{model="echo",version="1",reason="${reason}"}`),
    );
  };

  it("count requests, rows and runs as they were, alone and joined", async () => {
    const first = send(orders.waitAtGate, 2);
    await runsReach(1);
    const others = [1, 2, 3].map((rowCount) => send(orders.none, rowCount));
    await waitingReach(3);
    const waiting = await figures();
    expect(waiting.get('amaas_inference_queue_rows{model="echo",version="1"}')).to.equal(6);
    expect(waiting.get('amaas_inference_queue_bytes{model="echo",version="1"}')).to.equal(6);
    openGate();
    expect(await Promise.all([first, ...others])).to.deep.equal(Array(4).fill("answered"));

    const { inferenceCount, executionCount, inferenceStats, batchStats, lastInference } = await statistics();
    expect([inferenceCount, executionCount]).to.deep.equal(["8", "2"]);
    expect(Number(lastInference)).to.be.closeTo(Date.now(), 5000);
    const { success, fail, queue, computeInput, computeInfer, computeOutput, cacheHit, cacheMiss } = inferenceStats!;
    const counts = [success, fail, queue, computeInput, computeInfer, computeOutput, cacheHit, cacheMiss].map(
      (duration) => duration!.count,
    );
    expect(counts).to.deep.equal(["4", "0", "4", "4", "4", "4", "0", "0"]);
    const parts = [queue, computeInput, computeInfer, computeOutput].map((duration) => Number(duration!.ns));
    expect(Math.min(...parts)).to.be.greaterThan(0);
    expect(parts.reduce((sum, ns) => sum + ns, 0)).to.be.at.most(Number(success!.ns));
    expect(batchStats.map(({ batchSize, computeInfer: runs }) => [batchSize, runs!.count])).to.deep.equal([
      ["2", "1"],
      ["6", "1"],
    ]);

    const seen = await figures();
    const ofVersion = (name: string) => seen.get(`nv_inference_${name}{model="echo",version="1"}`);
    expect(["request_success", "count", "exec_count", "pending_request_count"].map(ofVersion)).to.deep.equal([
      4, 8, 2, 0,
    ]);
    const durations = ["request", "queue", "compute_input", "compute_infer", "compute_output"];
    expect(durations.map((name) => ofVersion(`${name}_duration_us`))).to.deep.equal(
      [success, queue, computeInput, computeInfer, computeOutput].map((sum) => Math.round(Number(sum!.ns) / 1000)),
    );
    for (const name of ["queue", "input", "compute", "output", "first_response"]) {
      expect(seen.get(`amaas_inference_${name}_seconds_count{model="echo",version="1"}`), name).to.equal(4);
    }
    const rows = [1, 2, 4, 8].map((le) =>
      seen.get(`amaas_inference_batch_rows_bucket{le="${le}",model="echo",version="1"}`),
    );
    expect(rows).to.deep.equal([0, 1, 1, 2]);
    expect(ofVersion("first_response_histogram_ms_count")).to.equal(4);
    expect(ofVersion("first_response_histogram_ms_sum")! / 1000).to.be.closeTo(Number(success!.ns) / 1e9, 1e-6);
  });

  it("count what is refused before it reaches the model, of a version that is known", async () => {
    const x = { name: "x", datatype: "UINT8", shape: [2] };
    const raw = [Buffer.from([1, 2])];
    const faulty: ModelInferRequest[] = [
      { inputs: [{ ...x, name: "z" }], rawInputContents: raw },
      { inputs: [x], rawInputContents: [Buffer.from([1])] },
      { inputs: [{ ...x, shape: [1, 2] }], rawInputContents: raw },
      { inputs: [x], rawInputContents: raw, outputs: [{ name: "z" }] },
      { inputs: [x], rawInputContents: raw, parameters: { priority: { stringParam: "high" } } },
      { inputs: [x], rawInputContents: raw, parameters: { sequence_id: { uint64Param: 7 } } },
      {
        inputs: [x],
        rawInputContents: raw,
        outputs: [{ name: "y", parameters: { classification: { int64Param: -1 } } }],
      },
    ];
    for (const request of faulty) {
      const fault = node.client.unary("ModelInfer", { modelName: "echo", ...request }).then(() => "answered");
      expect(await fault.catch((thrown) => status[remoteFaultOf(thrown).code])).to.equal("INVALID_ARGUMENT");
    }
    const unknown = node.client.unary("ModelInfer", { modelName: "echo", modelVersion: "9" }).catch(remoteFaultOf);
    expect(await unknown).to.include({ code: status.NOT_FOUND });
    expect(await failures()).to.deep.equal([faulty.length, 0, 0, 0]);
    const { inferenceStats } = await statistics();
    expect([inferenceStats!.success!.count, inferenceStats!.fail!.count]).to.deep.equal(["0", String(faulty.length)]);
  });

  it("count failures by reason", async () => {
    const caller = new AbortController();
    const running = send(orders.waitAtGate, 1, { signal: caller.signal });
    await runsReach(1);
    const waiting = [1, 2, 3].map(() => send(orders.none, 1));
    await waitingReach(3);
    expect(await send(orders.none, 1)).to.equal("QUEUE_FULL");
    expect(await send(orders.none, 9)).to.equal("TENSOR_INVALID");
    expect(await failures()).to.deep.equal([2, 0, 0, 0]);
    caller.abort();
    expect(await running).to.equal("CANCELLED");
    // The node hears of it later than the caller itself.
    while ((await failures())[1] === 0);
    openGate();
    expect(await Promise.all(waiting)).to.deep.equal(Array(3).fill("answered"));
    expect(await send(orders.exit, 1)).to.equal("WORKER_LOST");
    expect(await failures()).to.deep.equal([2, 1, 1, 0]);
    const { inferenceStats, inferenceCount, executionCount } = await statistics();
    expect([inferenceStats!.success!.count, inferenceStats!.fail!.count]).to.deep.equal(["3", "4"]);
    expect([inferenceCount, executionCount], "the run whose caller had left is one").to.deep.equal(["3", "2"]);
  });

  it("say what the node holds, and where, as long as it holds it", async () => {
    expect(await figure("amaas_inference_instances")).to.equal(1);
    const { sizeBytes } = echo();
    expect(await figure("amaas_inference_weight_bytes")).to.equal(sizeBytes);
    expect((await statistics()).memoryUsage).to.deep.equal([{ type: "CPU", id: "0", byteSize: String(sizeBytes) }]);
    const info = (state: string) =>
      `amaas_inference_replica_info{model="echo",version="1",variant="default",execution_provider="cpu",fallback_providers="",state="${state}"}`;
    expect((await figures()).get(info("ready"))).to.equal(1);
    registry.assign();
    await registry.reported(({ replicas }) => replicas.length === 0);
    const left = [...(await figures()).keys()].filter((series) => series.includes("echo"));
    expect(left).to.deep.equal([]);
    const { modelStats } = await node.client.unary("ModelStatistics", {});
    expect(modelStats).to.deep.equal([]);
  });

  it("begin anew with a version that is loaded anew", async () => {
    expect(await send(orders.none, 1)).to.equal("answered");
    expect((await statistics()).inferenceCount).to.equal("1");
    registry.assign();
    await registry.reported(({ replicas }) => replicas.length === 0);
    registry.assign(echo());
    await registry.reportedState("models/echo/versions/1", "STATE_READY");
    expect((await statistics()).inferenceCount).to.equal("0");
    expect(await figure("nv_inference_count")).to.equal(0);
  });

  it("are of all versions where none is named, of one by number or alias, and NOT_FOUND for others", async () => {
    registry.assign({ ...echo(), aliases: [] }, { ...echo(), version: 2 });
    await registry.reportedState("models/echo/versions/2", "STATE_READY");
    const versions = async (name: string, version: string) => {
      const { modelStats } = await node.client.unary("ModelStatistics", { name, version });
      return modelStats.map((entry) => `${entry.name} ${entry.version}`);
    };
    for (const name of ["", "echo"]) expect(await versions(name, "")).to.deep.equal(["echo 1", "echo 2"]);
    expect(await versions("echo", "1")).to.deep.equal(["echo 1"]);
    expect(await versions("echo", "default")).to.deep.equal(["echo 2"]);
    for (const [name, version] of [
      ["nope", ""],
      ["echo", "3"],
    ]) {
      const fault = await versions(name, version).catch(remoteFaultOf);
      expect(fault).to.include({ code: status.NOT_FOUND });
      expect(fault)
        .to.have.property("message")
        .that.matches(/^Request for unknown model: /);
    }
  });

  it("are read a hundred times while requests run, and add up at the end", async () => {
    openGate();
    const total = 600;
    let sent = 0;
    let answered = 0;
    const client = async () => {
      while (sent < total) {
        sent++;
        if ((await send(orders.none, 1)) === "answered") answered++;
      }
    };
    let last = 0;
    const scraper = async () => {
      for (let times = 0; times < 100; times++) {
        const count = (await figure("nv_inference_request_success"))!;
        expect(count).to.be.at.least(last);
        last = count;
      }
    };
    await Promise.all([client(), client(), client(), scraper()]);
    expect(answered).to.equal(total);
    expect(await figure("nv_inference_request_success")).to.equal(total);
    expect(await figure("nv_inference_count")).to.equal(total);
  });

  it("are served on a port of their own that is closed with the node, and has to be free", async () => {
    const { metricsPort } = node.service;
    const failure = await startNode(`${folder.path}/other`, registry.address, { metricsPort }).catch(
      (thrown) => thrown,
    );
    expect(failure.message).to.match(new RegExp(`^cannot serve metrics on 127.0.0.1:${metricsPort}: .*EADDRINUSE`));
    await node.stop();
    const refused = await scrape(metricsPort).catch((thrown) => thrown);
    expect(refused.cause.code).to.equal("ECONNREFUSED");
  });
});
