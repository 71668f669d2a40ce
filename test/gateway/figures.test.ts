import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { statusOf } from "../../lib/rpc/status.ts";
import { CallFigures } from "../../services/gateway/figures/call-figures.ts";
import { ModelFigures } from "../../services/gateway/figures/version-figures.ts";
import { tableOf } from "../../services/gateway/route-table.ts";
import { scrape } from "../metrics/scrape.ts";
import { FakeNode, type NodeHandler } from "./fake-node.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { emptyFolder, eventually, faultOf, Harness, nowhere, routeOf } from "./harness.ts";

describe("the metrics of a gateway", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let nodes: FakeNode[];
  let registry: FakeRegistry;
  let gateway: Harness;

  beforeEach(async () => {
    folder = await emptyFolder();
    nodes = await Promise.all([new FakeNode().start(), new FakeNode().start()]);
    const versions = { 1: nodes.map(({ address }) => address) };
    registry = await new FakeRegistry([routeOf("digits", versions, { default: 1 })]).start();
    gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: registry.address,
      // Longer than the tests, on however busy a machine.
      AMAAS_GATEWAY_EJECT_MS: "600000",
    });
    await gateway.routed("digits");
  });
  afterEach(async () => {
    await gateway.stop();
    await Promise.all([registry, ...nodes].map((fake) => fake.stop()));
    await folder.remove();
  });
  const infer = (modelName = "digits") => gateway.infer("ModelInfer", { modelName });
  const figures = () => scrape(gateway.metricsPort);
  const method = 'method="/inference.GRPCInferenceService/ModelInfer"';

  it("count calls by method, model, version and status, and how long answers take", async () => {
    for (let count = 0; count < 3; count++) await infer();
    for (const node of nodes) node.handle = (_, reply) => reply({ code: status.INVALID_ARGUMENT, details: "no" });
    await faultOf(infer());
    const seen = await figures();
    const of = 'model="digits",version="1"';
    expect(seen.get(`amaas_gateway_calls_total{${method},code="OK"}`)).to.equal(3);
    expect(seen.get(`amaas_gateway_model_calls_total{${of},code="OK"}`)).to.equal(3);
    expect(seen.get(`amaas_gateway_model_calls_total{${of},code="INVALID_ARGUMENT"}`)).to.equal(1);
    expect(seen.get(`amaas_gateway_inference_seconds_count{${of}}`)).to.equal(3);
    expect(seen.get(`amaas_gateway_inferences{${of}}`)).to.equal(0);
    expect(seen.get(`amaas_gateway_inferences_limit{${of}}`)).to.equal(10_000);
    expect(seen.get("amaas_gateway_calls")).to.equal(0);
    expect(seen.get("amaas_gateway_request_bytes")).to.equal(0);
  });

  it("have no line for a model that is not in the table, whatever callers ask for", async () => {
    for (const name of ["cats", "dogs"]) await faultOf(infer(name));
    const seen = await figures();
    expect([...seen.keys()].filter((line) => /cats|dogs/.test(line))).to.deep.equal([]);
    expect(seen.get('amaas_gateway_refusals_total{reason="MODEL_NOT_FOUND",limit=""}')).to.equal(2);
    expect(seen.get(`amaas_gateway_calls_total{${method},code="NOT_FOUND"}`)).to.equal(2);
  });

  it("count attempts, retries and ejections, and name what is ejected", async () => {
    const lost: NodeHandler = (_, reply) => reply(statusOf(new ServiceError("WORKER_LOST", "it died")));
    nodes[0]!.handle = lost;
    for (let count = 0; count < 600; count++) await infer();
    const seen = await figures();
    const of = 'model="digits",version="1"';
    expect(seen.get(`amaas_gateway_attempts_total{${of},outcome="failed"}`)).to.equal(5);
    expect(seen.get(`amaas_gateway_retries_total{${of}}`)).to.equal(5);
    expect(seen.get(`amaas_gateway_hedges_total{${of}}`)).to.equal(0);
    expect(seen.get("amaas_gateway_ejections_total")).to.equal(1);
    expect(seen.get(`amaas_gateway_ejected_replica{${of},node="${nodes[0]!.address}"}`)).to.equal(1);
    for (const { address } of nodes) {
      expect(seen.get(`amaas_gateway_node_calls{node="${address}"}`)).to.equal(0);
      expect(seen.get(`amaas_gateway_node_reachable{node="${address}"}`)).to.equal(1);
    }
  });

  it("say which step the route table is, and whether the registry is there", async () => {
    registry.change(routeOf("letters", { 1: [nowhere] }, {}));
    await eventually(async () => {
      const seen = await figures();
      expect(seen.get(`amaas_gateway_route_table_sequence{epoch="${registry.epoch}"}`)).to.equal(registry.sequence);
      expect(seen.get("amaas_gateway_route_table_models")).to.equal(2);
      expect(seen.get("amaas_gateway_route_table_age_seconds")).to.be.within(0, 60);
      expect(seen.get("amaas_gateway_registry_connected")).to.equal(1);
    });
    await registry.stop();
    await eventually(async () => expect((await figures()).get("amaas_gateway_registry_connected")).to.equal(0));
  });
});

describe("the figures of versions", () => {
  const routeTo = (model: string, version = 1) => ({ model, version, replicas: [], reason: "", memory: {} });
  const names = (figures: ModelFigures) => [...figures.all()].map(({ model, version }) => `${model} ${version}`);

  it("are of at most a thousand versions, and of all others together", () => {
    const figures = new ModelFigures();
    for (let model = 0; model < 1500; model++) figures.ended(routeTo(`m${model}`), status.OK, 1);
    const all = [...figures.all()];
    expect(all.length).to.equal(1001);
    expect(all.at(-1)).to.include({ model: "", version: "" });
    expect(all.at(-1)!.codes[status.OK]).to.equal(500);
  });

  it("go with their versions, and make room for others", () => {
    const figures = new ModelFigures();
    const versions = new Map([[1, { replicas: [], reason: "" }]]);
    const kept = { model: "kept", versions, aliases: new Map(), traffic: undefined };
    for (const model of ["kept", "gone"]) for (const version of [1, 2]) figures.ended(routeTo(model, version), 0, 1);
    figures.retain(tableOf([kept]).models);
    expect(names(figures)).to.deep.equal(["kept 1", " "]);
  });
});

describe("the figures of calls", () => {
  it("take any status", () => {
    const figures = new CallFigures();
    for (const code of [0, 16, 17, 4711]) figures.ended("/m", code);
    expect([...figures.calls()].map(({ code, count }) => [code, count])).to.deep.equal([
      [0, 1],
      [2, 2],
      [16, 1],
    ]);
  });
});
