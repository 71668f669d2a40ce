import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import { FakeNode, type NodeHandler } from "../fake-node.ts";
import { FakeRegistry } from "../fake-registry.ts";
import { emptyFolder, eventually, faultOf, Harness, nowhere, routeOf } from "../harness.ts";

interface Answer {
  readonly outputs: readonly { readonly data: readonly number[] }[];
}

describe("a gateway with mirrors", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let first: FakeNode;
  let mirror: FakeNode;
  let registry: FakeRegistry;
  let gateway: Harness;

  beforeEach(async () => {
    folder = await emptyFolder();
    [first, mirror] = await Promise.all([new FakeNode().start(), new FakeNode().start()]);
    first.handle = (_, reply) => reply(null, answerOf([1, 2]));
    mirror.handle = first.handle;
    registry = await new FakeRegistry([mirrored()]).start();
    gateway = await start({});
  });

  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry, first, mirror].map((fake) => fake.stop()));
    await folder.remove();
  });

  const start = async (settings: Record<string, string>) => {
    const state = { AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: registry.address };
    const started = await Harness.start({ ...state, ...settings });
    await started.routed("digits", "1");
    return started;
  };
  const restart = async (settings: Record<string, string>) => {
    await gateway.stop();
    gateway = await start(settings);
  };
  /** Version 1 answers, and version 2 gets copies. */
  const mirrored = (share = 1, address = mirror.address) => ({
    ...routeOf("digits", { 1: [first.address], 2: [address] }, {}),
    aliases: { default: { targets: [{ version: 1, weight: 1 }], mirrors: [{ version: 2, share }] } },
  });
  const answerOf = (values: readonly number[]) =>
    encodeMessage("inference", "inference.ModelInferResponse", {
      outputs: [{ name: "y", datatype: "FP32", shape: [1, values.length] }],
      rawOutputContents: [Buffer.from(Float32Array.from(values).buffer)],
    });
  const infer = (fields: object = {}, options = {}) =>
    gateway.infer("ModelInfer", { modelName: "digits", ...fields }, options);
  const copies = () => mirror.calls.filter(({ metadata }) => metadata.get("amaas-mirror").length > 0);
  const metricsText = async () => (await fetch(`http://127.0.0.1:${gateway.metricsPort}/metrics`)).text();
  /** What a metric says, by a label that distinguishes its lines. */
  const metric = async (name: string, label: string): Promise<Record<string, number>> => {
    const lines = (await metricsText()).split("\n").filter((line) => line.startsWith(`${name}{`));
    const labelled = new RegExp(`${label}="([^"]*)"`);
    return Object.fromEntries(
      lines.map((line) => [labelled.exec(line)?.[1], Number(line.slice(line.lastIndexOf(" ")))]),
    );
  };
  /** Fails while there are copies that have not ended. */
  const noneIsHeld = async () => {
    expect((await metricsText()).match(/^amaas_gateway_mirror_(copies|bytes) \d+$/gm)).to.deep.equal([
      "amaas_gateway_mirror_copies 0",
      "amaas_gateway_mirror_bytes 0",
    ]);
  };
  const ends = () => metric("amaas_gateway_mirror_copies_total", "end");

  it("copies requests of the alias, marked as such, with the same id and bytes", async () => {
    const request = { id: "7", rawInputContents: [Buffer.alloc(100_000, 7)] };
    const { message, metadata } = await infer(request, { metadata: { "x-request-id": "mine", custom: "a" } });
    expect(message).to.deep.equal(answerOf([1, 2]));
    expect(metadata.get("amaas-version")).to.deep.equal(["1"]);
    await eventually(() => expect(copies().length).to.equal(1));
    const [copy] = copies();
    expect(copy!.request).to.deep.equal(first.calls.at(-1)!.request);
    expect(copy!.metadata.getMap()).to.include({
      "amaas-mirror": "1",
      "amaas-version": "2",
      "amaas-model": "digits",
      "x-request-id": "mine",
      custom: "a",
    });
    expect(first.calls.at(-1)!.metadata.get("amaas-mirror")).to.deep.equal([]);
  });

  it("copies requests that came by HTTP", async () => {
    const answer = await fetch(`${gateway.httpUrl}/v2/models/digits/infer`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-request-id": "mine" },
      body: JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] }),
    });
    expect([answer.status, ((await answer.json()) as Answer).outputs[0]!.data]).to.deep.equal([200, [1, 2]]);
    await eventually(async () => expect(await ends()).to.deep.equal({ compared: 1 }));
    const { request, metadata } = copies()[0]!;
    expect(request).to.deep.equal(first.calls.at(-1)!.request);
    expect(metadata.get("x-request-id")).to.deep.equal(["mine"]);
  });

  it("copies no request that names a version, no sequence, no copy, and nothing but inferences", async () => {
    await infer({ modelVersion: "1" });
    await infer({ parameters: { sequence_id: { int64Param: 7 } } });
    await infer({}, { metadata: { "amaas-mirror": "1" } });
    await gateway.infer("ModelMetadata", { name: "digits" });
    await infer({ id: "last" });
    await eventually(() => expect(copies().length).to.be.above(0));
    expect(copies().length).to.equal(1);
  });

  it("copies the share that the alias says", async () => {
    registry.change(mirrored(0.25));
    registry.change(routeOf("later", { 1: [first.address] }, {}));
    await gateway.routed("later");
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 20 }, () => infer()));
    await eventually(noneIsHeld);
    // Five standard deviations.
    expect(copies().length).to.be.within(100 - 44, 100 + 44);
  });

  it("compares the answers, and shows how they are per pair of versions", async () => {
    await restart({ AMAAS_GATEWAY_MIRROR_COMPARE_PERCENT_MAX: "100" });
    const differing: [NodeHandler, string][] = [
      [(_, reply) => reply(null, answerOf([1, 2])), "equal"],
      [(_, reply) => reply(null, answerOf([2, 1.5])), "different"],
      [(_, reply) => reply(null, answerOf([1, 2, 3])), "other-form"],
    ];
    for (const [handle, result] of differing) {
      mirror.handle = handle;
      await infer();
      await eventually(async () =>
        expect(await metric("amaas_gateway_mirror_outputs_total", "result")).to.include.keys(result),
      );
    }
    expect(await metric("amaas_gateway_mirror_outputs_total", "result")).to.deep.equal({
      equal: 1,
      different: 1,
      "other-form": 1,
    });
    expect(await metric("amaas_gateway_mirror_rows_total", "output")).to.deep.equal({ y: 2 });
    expect(await metric("amaas_gateway_mirror_agreeing_rows_total", "output")).to.deep.equal({ y: 1 });
    expect(await metric("amaas_gateway_mirror_max_abs_difference_sum", "mirror")).to.deep.equal({ 2: 1 });
    expect(await metric("amaas_gateway_mirror_max_abs_difference_sum", "model")).to.deep.equal({ digits: 1 });
    expect(await ends()).to.deep.equal({ compared: 3 });
  });

  for (const [what, spoil] of [
    ["hangs", () => (mirror.handle = () => undefined)],
    [
      "answers errors",
      () => (mirror.handle = (_: unknown, reply: Parameters<NodeHandler>[1]) => reply({ code: status.INTERNAL })),
    ],
    ["is gone", () => registry.change(mirrored(1, nowhere))],
    ["is ready nowhere", () => registry.change({ ...mirrored(), versions: mirrored().versions!.slice(0, 1) })],
    ["has died", () => mirror.stop()],
  ] as const) {
    it(`has callers notice nothing of a mirror that ${what}`, async () => {
      await restart({ AMAAS_GATEWAY_MIRROR_TIMEOUT_MS: "50", AMAAS_GATEWAY_MIRROR_COPIES_MAX: "20" });
      await spoil();
      for (let count = 0; count < 100; count++) expect((await infer()).message).to.deep.equal(answerOf([1, 2]));
      await eventually(async () => expect((await ends()).failed).to.be.above(0));
      await eventually(noneIsHeld);
    });
  }

  it("answers as fast as ever while a mirror is a hundred times slower, and drops what is too much", async () => {
    await restart({ AMAAS_GATEWAY_MIRROR_CALLS_MAX: "4", AMAAS_GATEWAY_MIRROR_COPIES_MAX: "10" });
    mirror.handle = (_, reply) => void setTimeout(() => reply(null, answerOf([1, 2])), 400);
    first.handle = (_, reply) => void setTimeout(() => reply(null, answerOf([1, 2])), 4);
    const durations = { alone: [] as number[], copied: [] as number[] };
    const measure = async (fields: object, into: number[]) => {
      const beginMs = performance.now();
      await infer(fields);
      into.push(performance.now() - beginMs);
    };
    const beginMs = performance.now();
    for (let count = 0; count < 60; count++) {
      await measure({ modelVersion: "1" }, durations.alone);
      await measure({}, durations.copied);
    }
    const slots = 4 * Math.ceil((performance.now() - beginMs) / 400);
    const [alone, copied] = [durations.alone, durations.copied].map((all) => all.sort((a, b) => a - b)[30]!);
    expect(copied).to.be.below(2 * alone! + 5);
    expect(await ends()).to.include.keys("dropped");
    expect(copies().length).to.be.at.most(slots);
  });

  it("compares nothing where a caller was answered with an error, and forwards that", async () => {
    first.handle = (_, reply) => reply({ code: status.INVALID_ARGUMENT, details: "no" });
    expect(await faultOf(infer())).to.include({ code: status.INVALID_ARGUMENT, message: "no" });
    await eventually(async () => expect(await ends()).to.deep.equal({ alone: 1 }));
  });

  it("does not count copies in limits", async () => {
    registry.change({ ...mirrored(), traffic: { total: { requestsPerSecond: 0.01 } } });
    await eventually(async () => expect((await faultOf(infer())).reason).to.equal("LIMIT_EXCEEDED"));
    const answered = first.calls.filter((call) => call.getPath().endsWith("ModelInfer")).length;
    await eventually(() => expect(copies().length).to.equal(answered));
  });
});
