import { expect } from "chai";
import { SettingError, Settings } from "../../lib/env.ts";
import { readRegistryConfig } from "../../services/registry/config.ts";

describe("the registry's settings", () => {
  it("have defaults that its README names", () => {
    const { port, folder, database, replyBytesMax, artifacts, control } = readRegistryConfig(new Settings({}));
    expect(database).to.deep.equal({ kind: "embedded", folder });
    expect({ port, replyBytesMax, ...control }).to.deep.equal({
      port: 8101,
      replyBytesMax: 67_108_864,
      heartbeatMs: 800,
      settleTimeoutMs: 10_000,
      replicasPerVersion: 2,
      newestVersionsServed: 4,
    });
    expect(artifacts).to.deep.equal({
      store: { kind: "local" },
      bytesMax: 17_179_869_184,
      uploads: { countMax: 32, idleMsMax: 60_000, parts: { bytesMax: 68_719_476_736, ageMsMax: 86_400_000 } },
      upkeep: { collectIntervalMs: 0, graceMs: 86_400_000, scrubIntervalMs: 0, scrubBytesPerSecondMax: 268_435_456 },
    });
  });

  it("name a PostgreSQL by its address", () => {
    const url = "postgres://amaas:secret@db:5432/catalogue";
    const { database } = readRegistryConfig(new Settings({ AMAAS_DATABASE_URL: url }));
    expect(database).to.deep.equal({ kind: "postgres", url, connectionsMax: 10, timeoutMs: 5000 });
    for (const name of ["AMAAS_DATABASE_CONNECTIONS_MAX", "AMAAS_DATABASE_TIMEOUT_MS"]) {
      const read = () => readRegistryConfig(new Settings({ AMAAS_DATABASE_URL: url, [name]: "1" }));
      expect(read).to.throw(SettingError, name);
    }
  });

  it("name a bucket, a prefix and a server by their addresses", () => {
    const settings = { AMAAS_ARTIFACT_STORE: "s3://models/of/mine", AMAAS_S3_ENDPOINT: "http://127.0.0.1:9000" };
    expect(readRegistryConfig(new Settings(settings)).artifacts.store).to.deep.equal({
      kind: "s3",
      bucket: "models",
      prefix: "of/mine/",
      endpoint: "http://127.0.0.1:9000",
      region: "us-east-1",
      partBytes: 8_388_608,
      partsInFlightMax: 2,
      timeoutMs: 30_000,
      attemptsMax: 3,
    });
    const amazon = readRegistryConfig(new Settings({ AMAAS_ARTIFACT_STORE: "s3://models" })).artifacts.store;
    expect(amazon).to.deep.include({ bucket: "models", prefix: "", endpoint: undefined, region: undefined });
  });

  it("put its state into a folder of its own", () => {
    expect(readRegistryConfig(new Settings({ AMAAS_DATA_DIR: "/data" })).folder).to.equal("/data/registry");
  });

  it("refuse an S3 server that is no address, and parts that are too small for one", () => {
    const store = { AMAAS_ARTIFACT_STORE: "s3://models" };
    for (const [name, value] of Object.entries({ AMAAS_S3_ENDPOINT: "minio:9000", AMAAS_S3_PART_BYTES: "1000" })) {
      const read = () => readRegistryConfig(new Settings({ ...store, [name]: value }));
      expect(read).to.throw(SettingError, new RegExp(`${name}.*${value}`));
    }
  });

  for (const [name, value] of [
    ["AMAAS_REGISTRY_PORT", "70000"],
    ["AMAAS_DATABASE_URL", "mysql://db/catalogue"],
    ["AMAAS_REPLY_CACHE_BYTES_MAX", "-1"],
    ["AMAAS_ARTIFACT_BYTES_MAX", "0"],
    ["AMAAS_ARTIFACT_STORE", "gs://bucket"],
    ["AMAAS_UPLOADS_MAX", "0"],
    ["AMAAS_GC_GRACE_MS", "59999"],
    ["AMAAS_SCRUB_BYTES_PER_SECOND_MAX", "0"],
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
