import { expect } from "chai";
import { emptyFolder, eventually, faultOf, Harness } from "../gateway/harness.ts";
import { addingModel } from "../inference/models.ts";
import { Fleet } from "./fleet.ts";
import { publish } from "./publishing.ts";
import { served } from "./served.ts";

const model = "adding";

describe("a registry, a node and a gateway", () => {
  const fleet = new Fleet();
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let gateway: Harness;

  before(async function () {
    this.timeout(60_000);
    await fleet.start(["a"]);
    for (const addend of [1, 2]) await publish(fleet.control, model, Buffer.from(addingModel(addend)));
    for (const version of ["1", "2"]) await served(fleet.inference, model, version);
    folder = await emptyFolder();
    const settings = { AMAAS_DATA_DIR: folder.path, AMAAS_REGISTRY_ADDRESS: fleet.registry.address };
    gateway = await Harness.start({ ...settings, AMAAS_GATEWAY_MIRROR_COMPARE_PERCENT_MAX: "100" });
  });

  after(async () => {
    await gateway?.stop();
    await folder?.remove();
    await fleet.remove();
  });

  const infer = () =>
    gateway.infer("ModelInfer", {
      modelName: model,
      inputs: [{ name: "x", datatype: "FP32", shape: [3, 2] }],
      rawInputContents: [Buffer.from(Float32Array.from([1, 2, 3, 4, 6, 5]).buffer)],
    });

  it("copy an alias's requests to the mirror that it has been given, and compare what both answer", async () => {
    const aliasOf = (mirrors: object[]) => ({
      name: `models/${model}/aliases/default`,
      targets: [{ version: 1 }],
      mirrors,
    });
    await fleet.control.unary("UpdateAlias", { alias: aliasOf([{ version: 2, share: 1 }]) }, { timeoutMs: 10_000 });
    await eventually(async () => {
      expect((await infer()).metadata.get("amaas-version")).to.deep.equal(["1"]);
      const text = await (await fetch(`http://127.0.0.1:${gateway.metricsPort}/metrics`)).text();
      const figures = (name: string) =>
        new RegExp(`^amaas_gateway_mirror_${name}\\{.*output="y".*\\} (\\d+)$`, "m").exec(text)?.[1];
      const [count, sum] = [Number(figures("max_abs_difference_count")), Number(figures("max_abs_difference_sum"))];
      // The versions add 1 and 2.
      expect(count).to.be.above(0).and.equal(sum);
      expect(Number(figures("rows_total"))).to.equal(3 * count);
      expect(figures("agreeing_rows_total")).to.equal(figures("rows_total"));
    });
    await fleet.control.unary("UpdateAlias", { alias: aliasOf([]) }, { timeoutMs: 10_000 });
  });

  it("hold callers to the limits of a model's serving settings from then on", async () => {
    const limit = async (rowsPerSecond: number) => {
      const settings = { name: `models/${model}/servingSettings`, traffic: { perPrincipal: { rowsPerSecond } } };
      await fleet.control.unary("UpdateServingSettings", { settings }, { timeoutMs: 10_000 });
    };
    await limit(2);
    await eventually(async () => {
      const { reason, metadata } = await faultOf(infer());
      expect(reason).to.equal("REQUEST_TOO_LARGE");
      expect(metadata).to.deep.equal({
        model,
        principal: "anonymous",
        limit: "per_principal.rows_per_second",
        seen: "3",
        needed: "2 per second, 2 at once",
      });
    });
    await limit(0);
    await eventually(infer);
  });
});
