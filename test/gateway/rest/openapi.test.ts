import { Validator } from "@seriousme/openapi-schema-validator";
import { expect } from "chai";
import { restRoot } from "../../../services/gateway/rest/contracts.ts";
import { bindingsOf } from "../../../services/gateway/rest/http-bindings.ts";
import { openApi } from "../../../services/gateway/rest/openapi.ts";

const bindings = ["amaas.registry.v1.RegistryService", "amaas.trainer.v1.TrainerService"].flatMap((service) =>
  bindingsOf(restRoot().lookupService(service)),
);
// As it is served: what is undefined is not there.
const document = JSON.parse(JSON.stringify(openApi(bindings, "1.2.3")));

describe("the OpenAPI document", () => {
  it("is one", async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    expect(errors).to.equal(undefined);
    expect(valid).to.equal(true);
    expect(validator.version).to.equal("3.1");
  });

  it("has every call of registry and trainer, each operation once", () => {
    const operations = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap(Object.values);
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).to.equal(ids.length);
    for (const name of ["amaas.registry.v1.RegistryService", "amaas.trainer.v1.TrainerService"]) {
      expect(ids).to.include.members(
        restRoot()
          .lookupService(name)
          .methodsArray.map((rpc) => rpc.name),
      );
    }
  });

  it("names nothing that it has not", () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g)];
    expect(refs.length).to.be.above(50);
    for (const [, kind, name] of refs) expect(document.components[kind!], name).to.have.property(name!);
  });

  it("says paths as they are called, and what the query may have", () => {
    const { get, patch } = document.paths["/v1/models/{model}/aliases/{alias}"];
    expect(get).to.deep.include({ operationId: "GetAlias", summary: "Reads one alias." });
    expect(patch.parameters.map(({ name }: { name: string }) => name)).to.deep.equal([
      "model",
      "alias",
      "allowMissing",
      "reason",
      "force",
      "mustNotExist",
    ]);
    expect(patch.requestBody.content["application/json"].schema.$ref).to.equal(
      "#/components/schemas/amaas.registry.v1.Alias",
    );
    expect(document.paths["/v1/jobs/{job}:watch"].get.responses["200"].content).to.have.keys("text/event-stream");
    expect(document.paths["/v1/artifacts/{sha256}"].put.parameters[1]).to.deep.include({
      name: "header.sizeBytes",
      in: "query",
    });
  });
});
