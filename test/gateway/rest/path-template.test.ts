import { expect } from "chai";
import fc from "fast-check";
import { restRoot } from "../../../services/gateway/rest/contracts.ts";
import { BindingTable, bindingsOf } from "../../../services/gateway/rest/http-bindings.ts";
import { matchTemplate, parsePath, parseTemplate } from "../../../services/gateway/rest/path-template.ts";

const valuesOf = (template: string, path: string) => {
  const parsed = parsePath(path);
  return parsed && matchTemplate(parseTemplate(template), parsed);
};

describe("paths of annotations", () => {
  for (const [template, path, values] of [
    ["/v1/models", "/v1/models", []],
    ["/v1/{name=models/*}", "/v1/models/digits", ["models/digits"]],
    ["/v1/{name=models/*}", "/v1/models/d%C3%A9", ["models/dé"]],
    ["/v1/{name=models/*}", "/v1/models", undefined],
    ["/v1/{name=models/*}", "/v1/models/", undefined],
    ["/v1/{name=models/*}", "/v1/models/a/b", undefined],
    ["/v1/{name=models/*}", "/v1//models/a", undefined],
    ["/v1/{name=models/*}", "/v1/models/a:undelete", undefined],
    ["/v1/{name=models/*}:undelete", "/v1/models/a:undelete", ["models/a"]],
    ["/v1/{name=models/*}:undelete", "/v1/models/a:b:undelete", undefined],
    ["/v1/{name=models/*/aliases/*}/revisions", "/v1/models/a/aliases/b/revisions", ["models/a/aliases/b"]],
    ["/v1/artifacts/{header.sha256}", "/v1/artifacts/ab", ["ab"]],
    ["/v1/artifacts:scrub", "/v1/artifacts:scrub", []],
  ] as const) {
    it(`${path} ${values === undefined ? "is none of" : "is one of"} ${template}`, () => {
      expect(valuesOf(template, path)).to.deep.equal(values);
    });
  }

  it("never give a name that has more segments than it says, whatever is escaped", () => {
    const segment = fc.string({
      unit: fc.constantFrom("a", ".", "%2F", "%2f", "%5C", "%00", "%2e", "..", "%", "é", ":"),
    });
    fc.assert(
      fc.property(segment, (text) => {
        let values: readonly string[] | undefined;
        try {
          values = valuesOf("/v1/{name=models/*}", `/v1/models/${text}`);
        } catch (refusal) {
          expect((refusal as Error).message).to.match(/^the path has the segment /);
          return;
        }
        if (values !== undefined) expect(values[0]).to.match(/^models\/(?!\.{1,2}$)[^/\\\0]+$/);
      }),
    );
  });

  it("say every call of registry and trainer, and no two of them the same", () => {
    for (const name of ["amaas.registry.v1.RegistryService", "amaas.trainer.v1.TrainerService"]) {
      const service = restRoot().lookupService(name);
      const bindings = bindingsOf(service);
      expect(new Set(bindings.map(({ rpc }) => rpc.name))).to.deep.equal(
        new Set(service.methodsArray.map((rpc) => rpc.name)),
      );
      expect(() => new BindingTable(bindings)).not.to.throw();
    }
    const [binding] = bindingsOf(restRoot().lookupService("amaas.registry.v1.RegistryService"));
    expect(() => new BindingTable([binding!, binding!])).to.throw("POST /v1/models is the path of one call");
  });
});
