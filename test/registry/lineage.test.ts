import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { artifactName, modelName } from "../../lib/resource-names.ts";
import { describeOnEachStore } from "./each-store.ts";
import { faultOf, noArtifact, sha256Of, upload } from "./running-registry.ts";

describeOnEachStore("the lineage of the registry", (own) => {
  const [dataset, otherDataset] = ["one", "another"].map((text) => artifactName(sha256Of(Buffer.from(text))));

  /** Registers a version whose file is still to come; answers its short name, such as "m/1". */
  async function register(model: string, lineage: object): Promise<string> {
    const { name } = await own.running.registry.unary("CreateVersion", {
      parent: modelName(model),
      version: { variants: [{ artifact: artifactName(sha256Of(Buffer.from(model))) }], lineage },
      allowMissingModel: true,
      allowMissingArtifacts: true,
    });
    return shortName(name);
  }
  const shortName = (name: string) =>
    name
      .replace(/^models\/(.*)\/versions\//, "$1/")
      .replace(dataset!, "dataset")
      .replace(otherDataset!, "other");
  const longName = (name: string) => name.replace(/^(base|tuned|small|lonely|m)\/(\d+)$/, "models/$1/versions/$2");

  async function lineage(name: string, request: object = {}) {
    const { nodes, edges, truncated } = await own.running.registry.unary("GetLineage", {
      name: longName(name),
      ...request,
    });
    return {
      nodes: Object.fromEntries(nodes.map((node) => [shortName(node.name), node.distance])),
      order: nodes.map((node) => shortName(node.name)),
      edges: edges.map(({ parent, child }) => `${shortName(parent)} > ${shortName(child)}`).sort(),
      truncated,
    };
  }

  /** base/1 comes from a dataset and a job, tuned/1 from base/1 and another dataset, small/1 and small/2 from tuned/1. */
  async function registerFamily(): Promise<void> {
    await register("base", { datasets: [dataset], job: "jobs/1" });
    await register("tuned", { parentVersion: "models/base/versions/1", datasets: [otherDataset], job: "jobs/2" });
    for (const job of ["jobs/3", "jobs/4"]) await register("small", { parentVersion: "models/tuned/versions/1", job });
  }

  it("shows everything that a version comes from and that came from it, nearest first, and no relatives", async () => {
    await registerFamily();
    const found = await lineage("tuned/1");
    expect(found.nodes).to.deep.equal({
      "tuned/1": 0,
      "base/1": -1,
      other: -1,
      "jobs/2": -1,
      dataset: -2,
      "jobs/1": -2,
      "small/1": 1,
      "small/2": 1,
    });
    expect(found.order[0]).to.equal("tuned/1");
    const steps = found.order.map((name) => Math.abs(found.nodes[name]!));
    expect(steps).to.deep.equal([...steps].sort());
    expect(found.edges).to.deep.equal([
      "base/1 > tuned/1",
      "dataset > base/1",
      "jobs/1 > base/1",
      "jobs/2 > tuned/1",
      "other > tuned/1",
      "tuned/1 > small/1",
      "tuned/1 > small/2",
    ]);
    expect(found.truncated).to.equal(false);
    expect(Object.keys((await lineage("small/1")).nodes)).not.to.include("small/2");
  });

  it("says how one thing comes from another", async () => {
    await registerFamily();
    const { edges } = await own.running.registry.unary("GetLineage", { name: "models/tuned/versions/1" });
    const relations = edges.filter(({ child }) => child === "models/tuned/versions/1").map(({ relation }) => relation);
    expect(relations).to.have.members(["RELATION_DERIVED", "RELATION_TRAINED_ON", "RELATION_MADE_BY"]);
  });

  it("shows which versions came from a dataset or a job", async () => {
    await registerFamily();
    const down = { direction: "LINEAGE_DIRECTION_DOWN" };
    expect((await lineage(dataset!, down)).nodes).to.deep.equal({
      dataset: 0,
      "base/1": 1,
      "tuned/1": 2,
      "small/1": 3,
      "small/2": 3,
    });
    expect((await lineage("jobs/3", down)).nodes).to.deep.equal({ "jobs/3": 0, "small/1": 1 });
  });

  it("goes one way and as many steps as asked for, and says where there is more", async () => {
    await registerFamily();
    const up = await lineage("tuned/1", { direction: "LINEAGE_DIRECTION_UP", depthMax: 1 });
    expect(up.nodes).to.deep.equal({ "tuned/1": 0, "base/1": -1, other: -1, "jobs/2": -1 });
    expect(up.truncated).to.equal(true);
    const down = await lineage("tuned/1", { direction: "LINEAGE_DIRECTION_DOWN", depthMax: 1 });
    expect(down.nodes).to.deep.equal({ "tuned/1": 0, "small/1": 1, "small/2": 1 });
    expect(down.truncated).to.equal(false);
  });

  it("shows what is only an artifact or only a version alone", async () => {
    const artifact = await upload(own.running.registry, Buffer.from("nobody uses this"));
    expect((await lineage(artifact)).order).to.deep.equal([artifact]);
    await register("lonely", {});
    expect(await lineage("lonely/1")).to.deep.include({ order: ["lonely/1"], edges: [], truncated: false });
  });

  it("is not found for what is not there, and refused for what cannot be", async () => {
    await register("m", {});
    for (const [name, reason] of [
      ["models/m/versions/2", "VERSION_NOT_FOUND"],
      ["models/m/versions/default", "ALIAS_NOT_FOUND"],
      ["models/nothing/versions/1", "MODEL_NOT_FOUND"],
      [noArtifact, "ARTIFACT_NOT_FOUND"],
      ["jobs/9", "JOB_NOT_FOUND"],
    ] as const) {
      expect(await faultOf(lineage(name)), name).to.include({ code: status.NOT_FOUND, reason });
    }
    for (const request of [{ depthMax: -1 }, { depthMax: 1001 }, { direction: 9 }, { name: "nodes/1" }]) {
      const fault = await faultOf(lineage("m/1", request));
      expect(fault, JSON.stringify(request)).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
  });
});
