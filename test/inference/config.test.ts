import { expect } from "chai";
import { Settings } from "../../lib/env.ts";
import { idPattern } from "../../lib/resource-names.ts";
import { readInferenceConfig } from "../../services/inference/config.ts";
import { derivedAddress, derivedNodeName } from "../../services/inference/node-identity.ts";

const read = (env: Record<string, string>) => readInferenceConfig(new Settings(env));

describe("the settings of an inference node", () => {
  it("have defaults that work on one machine", () => {
    expect(read({})).to.deep.include({
      port: 8301,
      metricsPort: 8302,
      registryAddress: "127.0.0.1:8101",
      advertisedAddress: undefined,
      nodeName: undefined,
      zone: "",
      serverName: "amaas",
      instanceCount: 1,
      executionProviders: ["cpu"],
      queue: { requestsMax: 512, rowsMax: 1_000_000_000, bytesMax: 268435456 },
      nodeQueue: { requestsMax: 8192, rowsMax: 10_000_000_000, bytesMax: 1_073_741_824 },
      modelControl: "registry",
      modelsLoadedAtStart: [],
      loadsMax: 2,
      memoryBudgetBytes: 0,
    });
    const { executionProviders } = read({ AMAAS_INFERENCE_EXECUTION_PROVIDERS: "cuda, webgpu,cpu" });
    expect(executionProviders).to.deep.equal(["cuda", "webgpu", "cpu"]);
  });

  for (const [variable, value] of [
    ["AMAAS_NODE_NAME", "Node 1"],
    ["AMAAS_NODE_NAME", "../up"],
    ["AMAAS_ZONE", "Europe"],
    ["AMAAS_INFERENCE_ADVERTISED_ADDRESS", "somewhere"],
    ["AMAAS_INFERENCE_METRICS_PORT", "-1"],
    ["AMAAS_INFERENCE_INSTANCES", "0"],
    ["AMAAS_INFERENCE_QUEUE_REQUESTS_MAX", "many"],
    ["AMAAS_INFERENCE_MEMORY_BUDGET_BYTES", "-1"],
    ["AMAAS_INFERENCE_MODEL_CONTROL", "poll"],
    ["AMAAS_INFERENCE_LOAD_MODELS", "one, two"],
    ["AMAAS_INFERENCE_EXECUTION_PROVIDERS", "gpu,cpu"],
    ["AMAAS_INFERENCE_EXECUTION_PROVIDERS", "cpu,cpu"],
    ["AMAAS_INFERENCE_EXECUTION_PROVIDERS", ","],
    ["AMAAS_SERVER_NAME", "two words"],
  ]) {
    it(`refuse ${variable}=${value} with the name, the value and what is needed`, () => {
      expect(() => read({ [variable]: value })).to.throw(`${variable}: seen ${JSON.stringify(value)}, needed `);
    });
  }
});

describe("a node that is not told who it is", () => {
  it("takes a name that is a valid id, whatever the host is called", () => {
    expect(derivedNodeName("host-1", "8301")).to.equal("host-1-8301");
    for (const host of ["Büro_PC.local", "", "---", "a".repeat(300), "x.".repeat(29)]) {
      expect(derivedNodeName(host, "8301"))
        .to.match(idPattern)
        .and.to.match(/-8301$/);
    }
  });

  it("is reached where it listens, or under its host name where it listens everywhere", () => {
    expect(derivedAddress("127.0.0.1", 8301, "host-1")).to.equal("127.0.0.1:8301");
    expect(derivedAddress("::1", 8301, "host-1")).to.equal("[::1]:8301");
    expect(derivedAddress("[::1]", 8301, "host-1")).to.equal("[::1]:8301");
    expect(derivedAddress("0.0.0.0", 8301, "host-1")).to.equal("host-1:8301");
  });
});
