import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { PrivateRedis } from "../private-redis.ts";
import { FakeNode } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, faultOf, Harness, routeOf } from "./harness.ts";

describe("a gateway that limits", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let node: FakeNode;
  let registry: FakeRegistry;
  let gateway: Harness;

  beforeEach(async () => {
    folder = await emptyFolder();
    node = await new FakeNode().start();
    registry = await new FakeRegistry([limited({ perPrincipal: { requestsPerSecond: 0.01 } })]).start();
    gateway = await Harness.start({ AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registry.address });
    await gateway.routed("digits");
  });

  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry, node].map((fake) => fake.stop()));
    await folder.remove();
  });

  const limited = (traffic: object) => ({ ...routeOf("digits", { 1: [node.address] }, { default: 1 }), traffic });
  const infer = (principal: string, inputs: object[] = []) =>
    gateway.infer("ModelInfer", { modelName: "digits", inputs }, { metadata: { "amaas-principal": principal } });

  it("refuses what exceeds a limit before any node hears of it, with the time to retry", async () => {
    await infer("ann");
    await infer("bob");
    const before = node.calls.length;
    const fault = await faultOf(infer("ann"));
    expect(fault).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "LIMIT_EXCEEDED" });
    expect(fault.metadata).to.deep.include({ model: "digits", principal: "ann", seen: "1" });
    expect(node.calls.length).to.equal(before);
    // Only inferences count.
    for (let count = 0; count < 5; count++) await gateway.infer("ModelMetadata", { name: "digits" });
  });

  it("refuses calls by HTTP as well, with the time to retry in seconds", async () => {
    const post = () =>
      fetch(`${gateway.httpUrl}/v2/models/digits/infer`, {
        method: "POST",
        headers: { "content-type": "application/json", "amaas-principal": "ann" },
        body: JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] }),
      });
    await infer("ann");
    const refused = await post();
    expect(refused.status).to.equal(429);
    expect(Number(refused.headers.get("retry-after"))).to.be.within(90, 100);
    expect(JSON.stringify(await refused.json()))
      .to.contain("LIMIT_EXCEEDED")
      .and.contain("per_principal.requests");
  });

  it("holds to limits that change from the next request on", async () => {
    await infer("ann");
    expect((await faultOf(infer("ann"))).reason).to.equal("LIMIT_EXCEEDED");
    registry.change(limited({ perPrincipal: { rowsPerSecond: 10 } }));
    await eventually(() => infer("ann"));
    const rows = (count: number) => [{ name: "x", datatype: "FP32", shape: [count, 4] }];
    expect((await faultOf(infer("ann", rows(11)))).reason).to.equal("REQUEST_TOO_LARGE");
    await infer("bob", rows(10));
    expect((await faultOf(infer("bob", rows(10)))).metadata.limit).to.equal("per_principal.rows_per_second");
  });

  it("counts calls as running until they have ended, however they end", async () => {
    registry.change(limited({ total: { concurrentRequests: 1 } }));
    await infer("ann");
    await eventually(() => infer("ann"));
    const answer = node.handle;
    let release = () => {};
    const isHeld = new Promise<void>((resolve) => {
      node.handle = (call, reply) => {
        release = () => reply(null, call.request);
        resolve();
      };
    });
    const first = infer("ann");
    await isHeld;
    const { metadata } = await faultOf(infer("bob"));
    expect(metadata).to.include({ limit: "total.concurrent_requests", seen: "1", needed: "fewer than 1" });
    release();
    await first;
    node.handle = answer;
    await infer("bob");
    node.handle = (_, reply) => reply({ code: status.INVALID_ARGUMENT });
    expect((await faultOf(infer("bob"))).code).to.equal(status.INVALID_ARGUMENT);
    node.handle = () => undefined;
    const hanging = gateway.infer("ModelInfer", { modelName: "digits" }, { deadlineMs: Date.now() + 50 });
    expect((await faultOf(hanging)).code).to.equal(status.DEADLINE_EXCEEDED);
    node.handle = answer;
    await eventually(() => infer("bob"));
  });

  it("holds limits together with another gateway, and loses no call when their Redis dies under load", async () => {
    const redis = new PrivateRedis();
    await redis.start();
    const settings = {
      AMAAS_REGISTRY_ADDRESS: registry.address,
      AMAAS_GATEWAY_REDIS_URL: redis.url,
      AMAAS_GATEWAY_REDIS_TIMEOUT_MS: "2000",
    };
    const folders = await Promise.all([emptyFolder(), emptyFolder()]);
    const pair = await Promise.all(folders.map(({ path }) => Harness.start({ ...settings, AMAAS_DATA_DIR: path })));
    try {
      for (const each of pair) await each.routed("digits");
      const call = (each: Harness) => each.infer("ModelInfer", { modelName: "digits" });
      const [first, second] = pair as [Harness, Harness];
      // Each caller may ask once in 100 s, whatever gateway it asks; until both have found the Redis it may ask both.
      await eventually(async () => {
        const metadata = { "amaas-principal": randomUUID() };
        await first.infer("ModelInfer", { modelName: "digits" }, { metadata });
        const fault = await faultOf(second.infer("ModelInfer", { modelName: "digits" }, { metadata }));
        expect(fault.reason).to.equal("LIMIT_EXCEEDED");
      });
      registry.change(limited({ total: { requestsPerSecond: 1e6, concurrentRequests: 1000 } }));
      for (const each of pair) await eventually(() => call(each));
      let isDone = false;
      const load = Promise.all(
        [...pair, ...pair, ...pair].map(async (each) => {
          while (!isDone) await call(each);
        }),
      );
      const further = async () => {
        const before = node.calls.length;
        await eventually(() => expect(node.calls.length).to.be.above(before + 100));
      };
      await further();
      await redis.kill();
      await further();
      await redis.resume();
      await further();
      isDone = true;
      await load;
    } finally {
      await Promise.all([...pair.map((each) => each.stop()), ...folders.map((each) => each.remove()), redis.stop()]);
    }
  });
});
