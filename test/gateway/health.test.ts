import { connect } from "node:http2";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { RpcClient } from "../../lib/rpc/client.ts";
import type { HealthSource } from "../../lib/rpc/health.ts";
import { modelHealth } from "../../services/gateway/model-health.ts";
import { tableOf } from "../../services/gateway/route-table.ts";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, faultOf, Harness, nowhere, routeOf } from "./harness.ts";

type Status = ReturnType<HealthSource["statusOf"]>;

describe("the health of a model", () => {
  const versions = (ready: readonly number[], all: readonly number[]) =>
    new Map(all.map((version) => [version, { replicas: ready.includes(version) ? ["n:1"] : [], reason: "" }] as const));
  const alias = (...targets: number[]) => ({
    targets: targets.map((version) => ({ version, weight: 1 })),
    mirrors: [],
  });
  const model = (name: string, ready: readonly number[], aliases: Record<string, number[]>) => ({
    model: name,
    versions: versions(ready, [1, 2]),
    aliases: new Map(Object.entries(aliases).map(([id, targets]) => [id, alias(...targets)])),
    traffic: undefined,
  });
  const table = tableOf([
    model("plain", [1], {}),
    model("led", [1], { default: [2], next: [1, 2] }),
    model("cold", [], {}),
  ]);

  for (const [name, expected] of [
    ["models/plain", "SERVING"],
    ["models/plain/versions/1", "SERVING"],
    ["models/plain/versions/2", "NOT_SERVING"],
    ["models/plain/versions/3", undefined],
    ["models/plain/versions/next", undefined],
    ["models/plain/aliases/default", undefined],
    ["models/led", "NOT_SERVING"],
    ["models/led/aliases/default", "NOT_SERVING"],
    ["models/led/aliases/next", "SERVING"],
    ["models/cold", "NOT_SERVING"],
    ["models/other", undefined],
    ["models/", undefined],
    ["models/plain/", undefined],
    ["models/plain/versions/1/more", undefined],
    ["models/plain/jobs/1", undefined],
  ] as readonly (readonly [string, Status])[]) {
    it(`is ${expected} for ${name}`, () => expect(modelHealth(table, name)).to.equal(expected));
  }

  it("is NOT_SERVING while there is no table", () => {
    expect(modelHealth(undefined, "models/plain")).to.equal("NOT_SERVING");
    expect(modelHealth(undefined, "plain")).to.equal(undefined);
  });
});

describe("the health of a gateway", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: FakeNode;
  let registry: FakeRegistry;
  let gateway: Harness;
  let health: RpcClient<HealthDefinition>;

  const start = async (settings: Readonly<Record<string, string>>) => {
    gateway = await Harness.start({ AMAAS_DATA_DIR: folder.path, ...settings });
    health = new RpcClient("grpc.health.v1.Health", gateway.address);
  };
  const check = async (service: string) => (await health.unary("Check", { service })).status;
  beforeEach(async () => {
    folder = await emptyFolder();
    node = await new FakeNode().start();
    registry = await new FakeRegistry([
      routeOf("digits", { 1: [node.address], 2: "it loads" }, { default: 1 }),
    ]).start();
  });
  afterEach(async () => {
    health.close();
    await gateway.stop();
    await Promise.all([registry, node].map((fake) => fake.stop()));
    await folder.remove();
  });

  it("is NOT_SERVING until it has a route table, and live all the while", async () => {
    await start({ AMAAS_REGISTRY_ADDRESS: nowhere });
    expect(await check("")).to.equal("NOT_SERVING");
    expect(await check("inference.GRPCInferenceService")).to.equal("NOT_SERVING");
    expect(await check("amaas.registry.v1.RegistryService")).to.equal("SERVING");
    expect(await check("live")).to.equal("SERVING");
  });

  it("is SERVING with one, and knows that of every model", async () => {
    await start({ AMAAS_REGISTRY_ADDRESS: registry.address });
    await gateway.routed("digits");
    for (const name of ["", "inference.GRPCInferenceService", "models/digits", "models/digits/versions/1"]) {
      expect(await check(name), name).to.equal("SERVING");
    }
    expect(await check("models/digits/versions/2")).to.equal("NOT_SERVING");
    const fault = await faultOf(check("models/cats"));
    expect(fault).to.include({ code: status.NOT_FOUND, reason: "SERVICE_UNKNOWN" });
    expect(fault.message).to.match(/"models\/cats".*needed:.*models\/\{model\}/);
  });

  it("tells who watches a model when it becomes ready, or is gone", async () => {
    await start({ AMAAS_REGISTRY_ADDRESS: registry.address });
    await gateway.routed("digits");
    const watch = health.serverStream("Watch", { service: "models/letters" });
    const next = async () => (await watch.next()).value?.status;
    expect(await next()).to.equal("SERVICE_UNKNOWN");
    registry.change(routeOf("letters", { 1: "it loads" }, {}));
    expect(await next()).to.equal("NOT_SERVING");
    registry.change(routeOf("letters", { 1: [node.address] }, {}));
    expect(await next()).to.equal("SERVING");
    registry.remove("letters");
    expect(await next()).to.equal("SERVICE_UNKNOWN");
    await watch.return?.(undefined);
  });

  it("says that it leaves while it still takes calls, then GOAWAY, and finishes what it has", async () => {
    await start({ AMAAS_REGISTRY_ADDRESS: registry.address, AMAAS_GATEWAY_DRAIN_DELAY_MS: "300" });
    await gateway.routed("digits");
    const session = connect(`http://${gateway.address}`);
    const goaway = new Promise((resolve) => session.once("goaway", resolve));
    let hasHeard = false;
    void goaway.then(() => {
      hasHeard = true;
    });
    let answer: () => void = () => undefined;
    node.handle = (call, reply) => {
      answer = () => reply(null, call.request);
    };
    const pending = gateway.infer("ModelInfer", { modelName: "digits" });
    await eventually(() => expect(node.calls.length).to.be.above(1));
    node.handle = (call, reply) => reply(null, call.request);
    const stopped = gateway.stopService();
    expect(await check("")).to.equal("NOT_SERVING");
    expect(await check("models/digits")).to.equal("NOT_SERVING");
    expect(await check("live")).to.equal("SERVING");
    await gateway.infer("ModelInfer", { modelName: "digits" });
    expect(hasHeard).to.equal(false);
    await goaway;
    answer();
    await pending;
    session.close();
    await stopped;
  });
});

interface HealthDefinition {
  readonly Check: HealthMethod;
  readonly Watch: HealthMethod;
}

interface HealthMethod {
  readonly requestSerialize: (request: { readonly service: string }) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => { readonly status: string };
}
