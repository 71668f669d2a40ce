import { ManualClock } from "../manual-clock.ts";
import { ConnectedNode } from "./connected-node.ts";
import { RouteWatcher } from "./route-watcher.ts";
import { emptyFolder, type RunningRegistry, startRegistry } from "./running-registry.ts";

const settings = { AMAAS_NEWEST_VERSIONS_SERVED: "2", AMAAS_REPLICAS_PER_VERSION: "2" };

/** A registry on a clock that stands still, with nodes and gateways; a new one for every test of the suite around the call. */
export class ControlledRegistry {
  running!: RunningRegistry;
  clock!: ManualClock;
  #folder!: Awaited<ReturnType<typeof emptyFolder>>;

  constructor() {
    beforeEach(async () => {
      this.#folder = await emptyFolder();
      this.clock = new ManualClock();
      this.running = await startRegistry(this.#folder.path, settings, this.clock);
    });
    afterEach(async () => {
      await this.running.stop();
      await this.#folder.remove();
    });
  }

  get registry() {
    return this.running.registry;
  }

  /** Stops it and starts it again, on the clock of the machine; gateways get a table at once. */
  async restart(): Promise<void> {
    await this.running.stop();
    this.running = await startRegistry(this.#folder.path, { ...settings, AMAAS_SETTLE_TIMEOUT_MS: "0" });
  }

  /** A node that has reported and was told what to hold. */
  async connect(id: string, ...report: Parameters<ConnectedNode["report"]>): Promise<ConnectedNode> {
    const node = new ConnectedNode(this.running.control, id);
    await node.report(...report);
    await node.replies.until("first assignment", () => node.assigned);
    return node;
  }

  watch(before?: RouteWatcher): RouteWatcher {
    return new RouteWatcher(this.running.control, before);
  }

  async nodes() {
    return (await this.registry.unary("ListNodes", {})).nodes;
  }
}
