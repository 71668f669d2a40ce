import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import type { ServingSettings } from "../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { startThread } from "../../lib/start-thread.ts";
import type { InferenceConfig } from "../../services/inference/config.ts";
import { WorkerProcess } from "../../services/inference/worker/worker-process.ts";
import type { StartWorker, WorkerThread } from "../../services/inference/worker/worker-thread.ts";
import { childProcesses } from "../child-processes.ts";
import { scrape } from "../metrics/scrape.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { everyTypeModel } from "./models.ts";
import { gateIndex, orders } from "./obedient-thread.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { bytesOf, rawTexts } from "./wire.ts";

const inProcess: ServingSettings = { isolation: "ISOLATION_PROCESS" };

describe("a session in a process of its own", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;
  let shared: Int32Array;

  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    shared = new Int32Array(new SharedArrayBuffer(8));
  });
  afterEach(async () => {
    Atomics.store(shared, gateIndex, 1);
    Atomics.notify(shared, gateIndex);
    await node.stop();
    await registry.stop();
    await folder.remove();
    expect(sessionProcesses()).to.deep.equal([]);
  });

  const start = async (settings: ServingSettings, config: Partial<InferenceConfig> = {}, startWorker?: StartWorker) => {
    const model = registry.store(everyTypeModel(["UINT8", "FP16", "BYTES"], ["n"]));
    registry.assign({ model: "echo", version: 1, ...model, aliases: [], settings });
    registry.reports.splice(0);
    node = await startNode(folder.path, registry.address, config, startWorker && { startWorker });
    await registry.reportedState("models/echo/versions/1", "STATE_READY");
    return model;
  };
  /** What comes back of two bytes, numbers and texts, or why not. */
  const send = (order: number = orders.none): Promise<unknown> => {
    const tensors = {
      UINT8: Buffer.from([order, 42]),
      FP16: bytesOf(Uint16Array.of(1, 2)),
      BYTES: rawTexts("a", "bé"),
    };
    const inputs = Object.keys(tensors).map((datatype) => ({ name: `x_${datatype}`, datatype, shape: [2] }));
    const request = { modelName: "echo", inputs, rawInputContents: Object.values(tensors) };
    return node.client.unary("ModelInfer", request).then(
      ({ rawOutputContents }) => Buffer.concat(rawOutputContents).equals(Buffer.concat(Object.values(tensors))),
      (thrown) => remoteFaultOf(thrown).reason,
    );
  };
  const figure = async (name: string) => {
    const figures = await scrape(node.service.metricsPort);
    return figures.get(`amaas_inference_${name}{model="echo",version="1"}`);
  };

  it("answers as one in a thread does, and ends with the node", async () => {
    await start(inProcess);
    expect(sessionProcesses().length).to.equal(1);
    expect([await send(), await figure("instance_processes")]).to.deep.equal([true, 1]);
  });

  it("crashes without the node: it is replaced, and three crashes in a minute are the version's", async () => {
    await start(inProcess);
    for (const signal of ["SIGSEGV", "SIGABRT"] as const) {
      process.kill(sessionProcesses()[0], signal);
      while (sessionProcesses().length > 0) await turn();
      while ((await send()) !== true) await turn();
    }
    process.kill(sessionProcesses()[0], "SIGSEGV");
    const { replicas } = await registry.reportedState("models/echo/versions/1", "STATE_FAILED");
    expect(replicas[0].reason).to.contain("in quarantine").and.to.contain("SIGSEGV");
    expect((await node.client.unary("ServerReady", {})).ready).to.equal(true);
  });

  it("does not come back from a run: it is ended, and its request is run once more", async () => {
    await start(inProcess, { runMsMax: 2000 });
    const [stuck] = sessionProcesses();
    process.kill(stuck, "SIGSTOP");
    expect(await send()).to.equal(true);
    expect(sessionProcesses()).not.to.include(stuck);
  });

  it("replaces a thread that does not come back from a run", async () => {
    const startWorker: StartWorker = (threadStart, isolation) =>
      isolation === "process"
        ? new WorkerProcess(threadStart)
        : (startThread(new URL("./obedient-thread", import.meta.url), {
            workerData: { ...threadStart, shared },
          }) as WorkerThread);
    await start({ isolation: "ISOLATION_THREAD" }, { runMsMax: 2000 }, startWorker);
    // Whatever runs it next does as it is told, too; but a process knows no orders.
    expect(await send(orders.waitAtGate)).to.equal(true);
    const counts = ["instance_processes", "instances_lost_total", "instances_left_behind"].map(figure);
    expect(await Promise.all(counts)).to.deep.equal([1, 1, 1]);
  });

  it("is what a model runs in that the node was running at two of its deaths", async () => {
    const { sha256 } = await start({});
    /** As a node leaves it that has died while it ran the model. */
    const died = async () => {
      await node.stop();
      await mkdir(join(folder.path, "inference/node-1/running"), { recursive: true });
      await writeFile(join(folder.path, "inference/node-1/running/thread"), `1${sha256}`);
      await start({});
      expect(await send()).to.equal(true);
      return figure("instance_processes");
    };
    expect(await figure("instance_processes")).to.equal(0);
    expect(await died()).to.equal(0);
    expect(await died()).to.equal(1);
  });
});

const sessionProcesses = () => childProcesses("services/inference/worker/process");
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
