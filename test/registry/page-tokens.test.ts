import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { describeOnEachStore } from "./each-store.ts";
import { linearModel } from "./onnx-files.ts";
import { faultOf, point, publish, upload } from "./running-registry.ts";

describeOnEachStore("a page token", (own) => {
  it("is refused where its entry is none that the list could have", async () => {
    const { registry } = own.running;
    for (const _ of [1, 2]) await publish(registry, "m", linearModel());
    await registry.unary("CreateModel", { modelId: "n" });
    await upload(registry, Buffer.from("something"));
    for (const version of [1, 2]) await point(registry, "m", "a", version);
    await point(registry, "m", "b", 2);
    const name = "models/m/servingSettings";
    for (const replicas of [1, 2]) await registry.unary("UpdateServingSettings", { settings: { name, replicas } });
    const hold = { resource: "models/m/versions/1", duration: { seconds: 60 } };
    for (const holder of ["a", "b"]) await registry.unary("HoldResource", { ...hold, holder });

    const anywhere = ["", "\0", "a\0b", "A", "-1", "1.5a.", "x".repeat(200_000), "x\ny"];
    const numbers = ["0", "1.5", "1e3", "01", "9".repeat(17)];
    for (const [method, request, more] of [
      ["ListModels", {}, []],
      ["ListVersions", { parent: "models/m" }, numbers],
      ["ListAliases", { parent: "models/m" }, []],
      ["ListAliasRevisions", { name: "models/m/aliases/a" }, numbers],
      ["ListServingSettingsRevisions", { name }, numbers],
      ["ListArtifacts", {}, numbers],
      ["ListHolds", {}, ["models/m/versions/1", "models/m/versions/1\n\0", "artifacts/a\nb"]],
      ["ListChanges", {}, numbers],
    ] as const) {
      const page = (pageToken: string) =>
        registry.unary(method as "ListModels", { ...request, pageSize: 1, pageToken });
      const { nextPageToken } = await page("");
      const filters = Buffer.from(nextPageToken, "base64url").toString().slice(0, 8);
      for (const forged of [...anywhere, ...more]) {
        const what = `${method} ${JSON.stringify(forged.slice(0, 20))}`;
        const fault = await faultOf(page(Buffer.from(filters + forged).toString("base64url")));
        expect(fault, what).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
        expect(fault.metadata.field, what).to.equal("page_token");
        expect(fault.message.length, what).to.be.below(400);
      }
      await page(nextPageToken);
    }
  });
});
