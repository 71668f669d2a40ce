import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, faultOf, Harness, routeOf } from "./harness.ts";

describe("a gateway, by the traffic settings of models,", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: FakeNode;
  let registry: FakeRegistry;
  let gateway: Harness;

  before(async () => {
    folder = await emptyFolder();
    node = await new FakeNode().start();
    const versions = { 1: [node.address], 2: [node.address], 3: [node.address] };
    const route = (model: string, traffic: object) => ({
      ...routeOf(model, versions, { default: { 1: 1, 2: 1 }, canary: 3 }),
      traffic,
    });
    registry = await new FakeRegistry([
      route("plain", {}),
      route("sticky", { stickyKey: "user-id" }),
      route("tested", { versionOverride: true }),
      route("hasty", { defaultTimeoutMs: 50 }),
      route("patient", { defaultTimeoutMs: 60_000 }),
    ]).start();
    gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: registry.address,
      AMAAS_GATEWAY_DEFAULT_TIMEOUT_MS: "1000",
    });
    await gateway.routed("plain");
  });

  after(async () => {
    await gateway.stop();
    await Promise.all([registry.stop(), node.stop()]);
    await folder.remove();
  });

  /** The version that answers. */
  const versionFor = async (modelName: string, modelVersion: string, metadata: Record<string, string> = {}) =>
    (await gateway.infer("ModelInfer", { modelName, modelVersion }, { metadata })).metadata.get("amaas-version")[0];

  it("routes by metadata what names no model, or no version, and tells the node", async () => {
    expect(await versionFor("", "", { "amaas-model": "plain", "amaas-version": "canary" })).to.equal("3");
    expect(node.calls.at(-1)!.metadata.getMap()).to.include({ "amaas-model": "plain", "amaas-version": "3" });
    expect(await versionFor("plain", "", { "amaas-version": "2" })).to.equal("2");
  });

  it("routes a name with an alias or a version, and tells the node the model alone", async () => {
    expect(await versionFor("plain@canary", "")).to.equal("3");
    expect(node.calls.at(-1)!.metadata.getMap()).to.include({ "amaas-model": "plain", "amaas-version": "3" });
    expect(await versionFor("plain@1", "")).to.equal("1");
  });

  it("gives the same key the same version, and keys as many of each as the weights say", async () => {
    const of = (user: string) => versionFor("sticky", "", { "user-id": user });
    const users = Array.from({ length: 60 }, (_, index) => `user-${index}`);
    const versions = await Promise.all(users.map(of));
    expect(await Promise.all(users.map(of))).to.deep.equal(versions);
    expect(versions.filter((version) => version === "1").length).to.be.within(15, 45);
  });

  it("lets testers ask for another version where that is allowed, and nobody elsewhere", async () => {
    expect(await versionFor("tested", "1", { "amaas-version": "canary" })).to.equal("3");
    expect(await versionFor("plain", "1", { "amaas-version": "1" })).to.equal("1");
    const fault = await faultOf(versionFor("plain", "default", { "amaas-version": "canary" }));
    expect(fault).to.include({ code: status.PERMISSION_DENIED, reason: "OVERRIDE_REFUSED" });
    expect(fault.message).to.contain("'canary' of model 'plain' instead of 'default'").and.contain("version_override");
    const unknown = await faultOf(versionFor("tested", "1", { "amaas-version": "9" }));
    expect(unknown).to.include({ code: status.NOT_FOUND, reason: "VERSION_NOT_FOUND" });
  });

  it("holds calls without a deadline to the one of their model, shorter or longer than its own", async () => {
    const slowly = (ms: number) => {
      node.handle = (call, reply) => void setTimeout(() => reply(null, call.request), ms);
    };
    try {
      slowly(200);
      const fault = await faultOf(versionFor("hasty", "1"));
      expect(fault).to.include({ code: status.DEADLINE_EXCEEDED, reason: "DEADLINE_EXCEEDED" });
      expect(fault.message).to.contain("the default of 50 ms");
      await gateway.infer("ModelInfer", { modelName: "hasty", modelVersion: "1" }, { deadlineMs: Date.now() + 10_000 });
      slowly(1200);
      const [late] = await Promise.all([faultOf(versionFor("plain", "1")), versionFor("patient", "1")]);
      expect(late.message).to.contain("the default of 1000 ms");
    } finally {
      node.handle = (call, reply) => reply(null, call.request);
    }
  });
});
