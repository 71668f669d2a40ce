import { expect } from "chai";
import { Settings } from "../../lib/env.ts";
import { readGatewayConfig } from "../../services/gateway/config.ts";
import { readInferenceConfig } from "../../services/inference/config.ts";

describe("the zone of a gateway and its nodes", () => {
  it("is a name in the pattern of ids, and empty where nobody says it", () => {
    for (const read of [(settings: Settings) => readGatewayConfig(settings).balance, readInferenceConfig]) {
      const standing = (zone: string) => read(new Settings({ AMAAS_ZONE: zone })).zone;
      expect(standing("")).to.equal("");
      expect(standing("eu-central-1a")).to.equal("eu-central-1a");
      for (const wrong of ["EU", "-a", "z".repeat(64)]) expect(() => standing(wrong)).to.throw("AMAAS_ZONE: seen");
    }
  });
});

describe("the name that a gateway and its nodes tell", () => {
  it("is taken by both or by neither", () => {
    for (const read of [readGatewayConfig, readInferenceConfig]) {
      const named = (name: string) => read(new Settings({ AMAAS_SERVER_NAME: name })).serverName;
      expect(named("x".repeat(64))).to.equal("x".repeat(64));
      expect(() => named("bücher")).to.throw("AMAAS_SERVER_NAME");
      expect(() => named("two words")).to.throw("AMAAS_SERVER_NAME");
    }
  });
});
