import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { systemClock } from "../../lib/clock.ts";
import { startInstance } from "../../services/inference/replicas/instance.ts";
import { startInThread } from "../../services/inference/worker/worker-thread.ts";
import { identityModel } from "./models.ts";
import { emptyFolder } from "./running-node.ts";

describe("an instance in a thread", () => {
  it("can be heard of within one turn of the event loop", async () => {
    const folder = await emptyFolder();
    const bytes = identityModel("UINT8", ["n"]);
    const modelFile = {
      path: join(folder.path, "model"),
      sha256: createHash("sha256").update(bytes).digest("hex"),
      sizeBytes: bytes.length,
    };
    await writeFile(modelFile.path, bytes);
    const threads = { executionProviders: ["cpu"], intraOpThreads: 1, findsThreads: false, niceness: 0, keeps: [] };
    const instance = await startInstance(startInThread({ modelFile, externalFiles: [], ...threads }, undefined), {
      loadMsMax: 60_000,
      runMsMax: 60_000,
      clock: systemClock,
      onLeftBehind: () => undefined,
    });
    let hasTurned = false;
    setImmediate(() => {
      hasTurned = true;
    });
    let isAnswered = false;
    void instance.run([{ name: "x", dataType: "UINT8", shape: [1], bytes: new Uint8Array(1) }], ["y"]).then(() => {
      isAnswered = true;
    });
    for (const beginMs = performance.now(); !isAnswered && performance.now() - beginMs < 10_000; ) {
      instance.poll();
      await undefined;
    }
    expect([isAnswered, hasTurned]).to.deep.equal([true, false]);
    await instance.stop();
    await folder.remove();
  });
});
