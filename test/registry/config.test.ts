import { expect } from "chai";
import { SettingError, Settings } from "../../lib/env.ts";
import { readRegistryConfig } from "../../services/registry/config.ts";

describe("the registry's settings", () => {
  it("have defaults that its README names", () => {
    const { port, artifactBytesMax, control } = readRegistryConfig(new Settings({}));
    expect({ port, artifactBytesMax, ...control }).to.deep.equal({
      port: 8101,
      artifactBytesMax: 17_179_869_184,
      heartbeatMs: 1000,
      settleTimeoutMs: 10_000,
      replicasPerVersion: 2,
      newestVersionsServed: 4,
    });
  });

  it("put its state into a folder of its own", () => {
    expect(readRegistryConfig(new Settings({ AMAAS_DATA_DIR: "/data" })).folder).to.equal("/data/registry");
  });

  for (const [name, value] of [
    ["AMAAS_REGISTRY_PORT", "70000"],
    ["AMAAS_ARTIFACT_BYTES_MAX", "0"],
    ["AMAAS_NODE_HEARTBEAT_MS", "1s"],
    ["AMAAS_SETTLE_TIMEOUT_MS", "-1"],
    ["AMAAS_REPLICAS_PER_VERSION", "0"],
    ["AMAAS_NEWEST_VERSIONS_SERVED", "many"],
  ] as const) {
    it(`refuse ${name}=${value} by name, with the value`, () => {
      const read = () => readRegistryConfig(new Settings({ [name]: value }));
      expect(read).to.throw(SettingError, new RegExp(`${name}.*${value}`));
    });
  }
});
