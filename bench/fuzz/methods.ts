import type { Random } from "../../lib/random.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { encodedRequest, goodRequest } from "./infer-requests.ts";
import { fuzzedModels } from "./models.ts";
import { bytesField } from "./wire.ts";

/** A method and messages that it understands. */
export interface FuzzedMethod {
  readonly path: string;
  readonly takesStream: boolean;
  /** Whether its answers have no end: the first one is enough. */
  readonly isEndless: boolean;
  readonly message: (random: Random) => Buffer;
}

const service = "/inference.GRPCInferenceService";
const reflectedNames = ["inference.GRPCInferenceService", "inference.ModelInferRequest", "no.such.Name"];

function unary(rpc: string, request: (random: Random) => object): FuzzedMethod {
  const message = (random: Random) => encodeMessage("inference", `inference.${rpc}Request`, request(random));
  return { path: `${service}/${rpc}`, takesStream: false, isEndless: false, message };
}

function health(rpc: string, type: string, request: object): FuzzedMethod {
  const message = () => encodeMessage("health", `grpc.health.v1.${type}`, request);
  return { path: `/grpc.health.v1.Health/${rpc}`, takesStream: false, isEndless: rpc === "Watch", message };
}

function reflection(version: string): FuzzedMethod {
  // The fields of its requests that are texts: a file, a symbol, an extension's type, all services.
  const message = (random: Random) =>
    bytesField([3, 4, 6, 7][random.below(4)]!, Buffer.from(oneOf(reflectedNames, random)));
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  return { path, takesStream: true, isEndless: false, message };
}

/** A model that nobody asks inferences of, for what may unload it. */
const spare = "spare";
const named = (random: Random) => ({ name: modelOf(random), version: ["", "1"][random.below(2)]! });

/** Everything that a node serves. ModelInfer has its own faults too. */
export const inferMethods: readonly FuzzedMethod[] = [
  { ...unary("ModelInfer", () => ({})), message: (random) => encodedRequest(goodRequest(random)) },
  {
    ...unary("ModelStreamInfer", () => ({})),
    takesStream: true,
    message: (random) => encodedRequest(goodRequest(random)),
  },
];

export const otherMethods: readonly FuzzedMethod[] = [
  unary("ServerLive", () => ({})),
  unary("ServerReady", () => ({})),
  unary("ServerMetadata", () => ({})),
  unary("ModelReady", named),
  unary("ModelMetadata", named),
  unary("ModelConfig", named),
  unary("ModelStatistics", named),
  unary("RepositoryIndex", (random) => ({ ready: random.below(2) === 0 })),
  unary("RepositoryModelLoad", (random) => ({
    modelName: spare,
    parameters: { config: { stringParam: oneOf(configs, random), parameterChoice: "stringParam" } },
  })),
  unary("RepositoryModelUnload", () => ({
    modelName: spare,
    parameters: { unload_dependents: { boolParam: true, parameterChoice: "boolParam" } },
  })),
  unary("TraceSetting", (random) => ({ modelName: modelOf(random), settings: { trace_level: { value: ["OFF"] } } })),
  unary("LogSettings", () => ({ settings: { log_info: { boolParam: true, parameterChoice: "boolParam" } } })),
  health("Check", "HealthCheckRequest", { service: "" }),
  health("Watch", "HealthCheckRequest", { service: "inference.GRPCInferenceService" }),
  health("List", "HealthListRequest", {}),
  reflection("v1"),
  reflection("v1alpha"),
];

const configs = [
  "{}",
  "{",
  "null",
  "[]",
  '{"max_batch_size": -1}',
  '{"max_batch_size": 1e999}',
  '{"__proto__": {"a": 1}}',
  `${"[".repeat(5000)}${"]".repeat(5000)}`,
  '{"dynamic_batching": {"preferred_batch_size": ["x", null]}}',
];

function modelOf(random: Random): string {
  return oneOf([...fuzzedModels.map(({ name }) => name), spare, "", "__proto__"], random);
}

function oneOf<Value>(values: readonly Value[], random: Random): Value {
  return values[random.below(values.length)]!;
}
