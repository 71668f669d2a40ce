import { readFileSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { readModel, writeModel } from "../../lib/onnx/model.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { addingModel, networkModel, withExternalData } from "./models.ts";
import { emptyFolder, type RunningNode, startNode } from "./running-node.ts";
import { bytesOf, floatsOf } from "./wire.ts";

/** A file that is there for a process that runs in the repository's folder, as tests do. */
const hostFile = "package.json";

describe("a model that keeps its weights in other files", function () {
  this.timeout(60_000);
  let registry: FakeRegistry;
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: RunningNode;

  const start = async () => {
    registry.reports.splice(0);
    node = await startNode(folder.path, registry.address);
  };
  beforeEach(async () => {
    registry = new FakeRegistry();
    await registry.start();
    folder = await emptyFolder();
    await start();
  });
  afterEach(async () => {
    await node.stop();
    await registry.stop();
    await folder.remove();
  });

  const version = "models/big/versions/1";
  /** Assigns a model with files beside it; `served` are the bytes that downloads of a location get instead. */
  const assign = (
    model: Uint8Array,
    files: Iterable<[string, Uint8Array]>,
    served: Record<string, Uint8Array> = {},
  ) => {
    const externalFiles = [...files].map(([location, bytes]) => ({
      location,
      ...registry.store(bytes, served[location] ?? bytes),
    }));
    registry.assign({ model: "big", version: 1, ...registry.store(model), aliases: [], externalFiles });
    return externalFiles;
  };
  const failure = async () => {
    const { replicas } = await registry.reportedState(version, "STATE_FAILED");
    expect(await ask([1, 2])).to.equal("MODEL_NOT_READY");
    return replicas[0].reason;
  };
  const ask = async (row: readonly number[]) => {
    const inputs = [{ name: "x", datatype: "FP32", shape: [1, row.length] }];
    const request = { modelName: "big", inputs, rawInputContents: [bytesOf(Float32Array.from(row))] };
    return node.client.unary("ModelInfer", request, { timeoutMs: 10_000 }).then(
      ({ rawOutputContents }) => floatsOf(rawOutputContents[0]),
      (thrown) => remoteFaultOf(thrown).reason,
    );
  };

  const row = Array.from({ length: 64 }, (_, i) => i / 64);
  const network = withExternalData(networkModel(1), {
    w1: { location: "weights/layer 1/a.bin", offset: 4097 },
    w2: { location: "b.bin" },
  });

  it("gives what it gives with all of them inside, whatever the places in the files", async () => {
    const bare = await InferenceSession.create(networkModel(1));
    const { y } = await bare.run({ x: new Tensor("float32", Float32Array.from(row), [1, 64]) });
    await bare.release();
    assign(network.model, network.files);
    await registry.reportedState(version, "STATE_READY");
    expect(await ask(row)).to.deep.equal([...(y.data as Float32Array)]);
  });

  it("may keep several weights in one file of many pieces", async () => {
    const { model, files } = withExternalData(networkModel(2), {
      w1: { location: "all.bin", offset: 0 },
      w2: { location: "all.bin", offset: 10_000_000 },
    });
    assign(model, files);
    await registry.reportedState(version, "STATE_READY");
    const shared = await ask(row);
    assign(networkModel(2), []);
    // Other bytes of the same variant: the old ones are gone before the new ones are there.
    await registry.reportedState(version, "STATE_LOADING");
    await registry.reportedState(version, "STATE_READY");
    expect(await ask(row)).to.deep.equal(shared);
  });

  it("is never loaded with a tampered file, which is reported with both digests and does not stay", async () => {
    const tampered = Buffer.from(network.files.get("b.bin")!);
    tampered[7]! ^= 1;
    const files = assign(network.model, network.files, { "b.bin": tampered });
    const { sha256 } = files.find(({ location }) => location === "b.bin")!;
    expect(await failure()).to.match(new RegExp(`have SHA-256 [0-9a-f]{64}; needed: \\d+ with ${sha256}$`));
    expect(await readdir(join(folder.path, "inference/node-1/artifacts"))).not.to.include(sha256);
  });

  it("is served after a restart without the registry, and of its cached files only a tampered one is fetched again", async () => {
    const files = assign(network.model, network.files);
    await registry.reportedState(version, "STATE_READY");
    const answer = await ask(row);
    const { sha256, sizeBytes } = files[0];
    for (const damage of [() => undefined, () => Buffer.alloc(sizeBytes, 1), () => Buffer.alloc(3)]) {
      await node.stop();
      registry.downloads.splice(0);
      const bytes = damage();
      if (bytes !== undefined) await writeFile(join(folder.path, "inference/node-1/artifacts", sha256), bytes);
      else await registry.stop();
      await start();
      if (bytes === undefined) {
        while ((await ask(row)) === "MODEL_NOT_READY");
        await registry.start();
      }
      await registry.reportedState(version, "STATE_READY");
      expect(await ask(row)).to.deep.equal(answer);
      expect(registry.downloads.map((download) => download.sha256)).to.deep.equal(bytes === undefined ? [] : [sha256]);
    }
  });

  const weight = (location: string) => withExternalData(addingModel(5), { constant: { location } }).model;

  it("takes a location from its files, never from the folder in which the node runs", async () => {
    expect(readFileSync(hostFile).length).to.be.greaterThan(4);
    assign(weight(hostFile), [[hostFile, bytesOf(Float32Array.of(7))]]);
    await registry.reportedState(version, "STATE_READY");
    expect(await ask([1, 2])).to.deep.equal([8, 9]);
  });

  for (const [location, needed] of [
    [hostFile, "one of the external files, which are other.bin"],
    ["/etc/passwd", "a relative path"],
    ["../x", "a relative path"],
  ] as const) {
    it(`is refused where it names ${location}, and that is not among its files`, async () => {
      assign(weight(location), [["other.bin", Buffer.alloc(4)]]);
      expect(await failure()).to.contain(`the tensor "constant" keeps its data in "${location}"; needed: ${needed}`);
    });
  }

  it("is refused where a subgraph names a file, which the runtime would read from the folder it runs in", async () => {
    assign(branchingModel(hostFile), [[hostFile, Buffer.alloc(4)]]);
    expect(await failure()).to.contain(`the tensor "inner" keeps its data in "${hostFile}"; needed: only initializers`);
  });

  it("fails with the runtime's reason where a file is shorter than its weights", async () => {
    assign(weight("a.bin"), [["a.bin", Buffer.alloc(3)]]);
    expect(await failure()).to.match(/^the runtime cannot load the model: .*out of bounds/);
  });
});

/** `y` = `x` + a weight in another file, FP32 [n, 2], by a subgraph. */
function branchingModel(location: string): Uint8Array {
  const model = readModel(addingModel(5));
  const { graph } = model;
  const inner = { name: "inner", dims: [], dataType: 1, dataLocation: 1 };
  const branch = (name: string) => ({
    name,
    initializer: [{ ...inner, externalData: [{ key: "location", value: location }] }],
    node: [{ opType: "Add", input: ["x", "inner"], output: [`${name}_y`] }],
    output: [{ ...graph!.output![0], name: `${name}_y` }],
  });
  const attribute = ["then_branch", "else_branch"].map((name) => ({ name, type: 5, g: branch(name) }));
  const choice = { name: "choice", dims: [], dataType: 9, rawData: Uint8Array.of(1) };
  const node = [{ opType: "If", input: ["choice"], output: [graph!.output![0].name!], attribute }];
  return writeModel({ ...model, graph: { ...graph, initializer: [choice], node } });
}
