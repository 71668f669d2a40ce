import { expect } from "chai";
import { ConnectedNode } from "./connected-node.ts";
import { addingModel } from "./onnx-files.ts";
import { type RegistryProcess, spawnRegistry } from "./registry-process.ts";
import { RouteWatcher } from "./route-watcher.ts";
import { clientsOf, emptyFolder, publish } from "./running-registry.ts";

/** Longer than nodes may be silent. */
const stallMs = 4000;

describe("a registry that stands still for a while", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let stalling: RegistryProcess;

  beforeEach(async function () {
    this.timeout(120_000);
    folder = await emptyFolder();
    stalling = await spawnRegistry(folder.path, { AMAAS_REPLICAS_PER_VERSION: "4" });
  });

  afterEach(async () => {
    await stalling.kill();
    await folder.remove();
  });

  it("takes no node out of the routes that reported meanwhile, or lost its stream over it and comes back", async function () {
    this.timeout(120_000);
    const { registry, control, close } = clientsOf(stalling.address);
    await publish(registry, "m", addingModel(1));
    const nodes = ["n1", "n2", "n3"].map((id) => new ConnectedNode(control, id));
    for (const node of nodes) {
      await node.report({ "m/1": "STATE_READY" });
      node.keepReporting();
    }
    const watcher = new RouteWatcher(control);
    await watcher.are({ "m/1": ["n1:1", "n2:1", "n3:1"] });
    const count = watcher.steps.messages.length;

    process.kill(stalling.pid, "SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, stallMs));
    // What gRPC does once its pings are not answered.
    for (const node of nodes.slice(1)) node.cut();
    process.kill(stalling.pid, "SIGCONT");
    const again = new ConnectedNode(control, "n2");
    await again.report({ "m/1": "STATE_READY" });
    again.keepReporting();
    await watcher.steps.until("a change", () => watcher.steps.messages.length > count);
    expect(watcher.routes).to.deep.equal({ "m/1": ["n1:1", "n2:1"] });
    close();
  });
});
