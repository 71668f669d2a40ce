import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { loadModel } from "../../services/inference/worker/loaded-model.ts";
import { isQuick } from "../../services/inference/worker/quick.ts";
import { networkModel } from "./models.ts";
import { emptyFolder } from "./running-node.ts";

describe("the threads of a session", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  before(async () => {
    folder = await emptyFolder();
  });
  after(() => folder.remove());

  const threadsOf = async (bytes: Uint8Array, findsThreads: boolean) => {
    const path = join(folder.path, "model");
    await writeFile(path, bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const { session, intraOpThreads } = await loadModel({
      modelFile: { path, sha256, sizeBytes: bytes.length },
      externalFiles: [],
      executionProviders: ["cpu"],
      intraOpThreads: 2,
      findsThreads,
      niceness: 0,
      keeps: [],
    });
    await session.release();
    return intraOpThreads;
  };

  it("are one where a model is quick with it, unless they are set", async () => {
    expect(await threadsOf(networkModel(1), true)).to.equal(1);
    expect(await threadsOf(networkModel(1), false)).to.equal(2);
  });

  it("are all where a model is slow, or cannot be run with zeros", async () => {
    expect(await threadsOf(productsModel(), true)).to.equal(2);
    const run = () => Promise.reject(new ServiceError("TENSOR_INVALID", "no zeros"));
    expect(await isQuick({ run }, { inputs: [], outputs: [] })).to.equal(false);
  });
});

/** `y` = the 40th power of `x`, FP32 [400, 400]: 5 GFLOP. */
function productsModel(): Uint8Array {
  const graph = new GraphBuilder("products");
  const x = graph.input("x", "FP32", [400, 400]);
  let y = x;
  for (let count = 1; count < 40; count++) y = graph.matMul(y, x);
  graph.output("y", y);
  return writeModel(modelOf(graph.graph()));
}
