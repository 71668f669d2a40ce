import { createRequire } from "node:module";
import type { ServiceDefinition } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { descriptors } from "../gen/descriptors.ts";
import { contractFolder } from "./contract-root.ts";
import { Encoded, serializer } from "./encoded.ts";
import { refuseTruncatedValues } from "./whole-values.ts";

/**
 * The contracts, and how 64-bit integers of each appear: as numbers where they are sizes, counts and versions (all below
 * 2^53), as text where they are tensor elements. `bootstrap/protos.mjs` generates the types with the same choice.
 */
const contracts = {
  registry: { file: "amaas/registry/v1/registry.proto", longs: Number },
  control: { file: "amaas/registry/v1/control.proto", longs: Number },
  trainer: { file: "amaas/trainer/v1/trainer.proto", longs: Number },
  inference: { file: "inference/grpc_service.proto", longs: String },
  status: { file: "google/rpc/status.proto", longs: Number },
  errorDetails: { file: "google/rpc/error_details.proto", longs: Number },
  health: { file: "health/v1/health.proto", longs: Number },
} as const;
export type Contract = keyof typeof contracts;

/** The contract of health comes with its package, whose code would read it at every start. */
const healthFile = createRequire(import.meta.url).resolve(`grpc-health-check/proto/${contracts.health.file}`);
const includeDirs = [contractFolder, healthFile.slice(0, -contracts.health.file.length)];

const loaded = new Map<Contract, PackageDefinition>();

/** The types and services of one contract, read once. */
function protoPackage(contract: Contract): PackageDefinition {
  let definition = loaded.get(contract);
  if (definition === undefined) {
    refuseTruncatedValues();
    const { file, longs } = contracts[contract];
    definition = loadSync(file, { includeDirs, longs, enums: String, defaults: true, oneofs: true });
    loaded.set(contract, definition);
  }
  return definition;
}

/** The names of the services, and where each is defined. */
const contractOf = {
  "amaas.registry.v1.RegistryService": "registry",
  "amaas.registry.v1.ControlService": "control",
  "amaas.trainer.v1.TrainerService": "trainer",
  "inference.GRPCInferenceService": "inference",
  "grpc.health.v1.Health": "health",
} as const satisfies Record<string, Contract>;
export type ServiceName = keyof typeof contractOf;

const definitions = new Map<ServiceName, ServiceDefinition>();

/** The methods of a service, as grpc-js wants them; every message may be `Encoded`. */
export function serviceDefinition(service: ServiceName): ServiceDefinition {
  let definition = definitions.get(service);
  if (definition === undefined) {
    const methods = Object.entries(protoPackage(contractOf[service])[service] as unknown as ServiceDefinition);
    definition = Object.fromEntries(
      methods.map(([name, method]) => [
        name,
        {
          ...method,
          requestSerialize: serializer(method.requestSerialize),
          responseSerialize: serializer(method.responseSerialize),
        },
      ]),
    );
    definitions.set(service, definition);
  }
  return definition;
}

/** What reflection tells of services and the types that they use; good for nothing else. */
export function reflectedPackage(services: readonly ServiceName[]): PackageDefinition {
  const files = new Map<string, Buffer>();
  const add = (name: string) => {
    if (files.has(name)) return;
    const { imports, bytes } = descriptors[name as keyof typeof descriptors];
    files.set(name, Buffer.from(bytes, "base64"));
    for (const imported of imports) add(imported);
  };
  for (const service of services) add(contracts[contractOf[service]].file);
  // So that clients can read the details of errors too.
  add(contracts.errorDetails.file);
  const fileDescriptorProtos = [...files.values()];
  return { reflected: { format: "Protocol Buffer 3 DescriptorProto", type: {}, fileDescriptorProtos } } as never;
}

/** Encodes a message of a contract by its full name. */
export function encodeMessage(contract: Contract, type: string, message: object): Buffer {
  return messageType(contract, type).serialize(message);
}

/** `encodeMessage`, to be sent later in place of the message. */
export function encoded<Message extends object>(contract: Contract, type: string, message: Message): Encoded<Message> {
  return new Encoded(encodeMessage(contract, type, message));
}

/** Decodes a message of a contract by its full name; throws on malformed bytes. */
export function decodeMessage<Message>(contract: Contract, type: string, bytes: Buffer): Message {
  return messageType(contract, type).deserialize(bytes) as Message;
}

function messageType(contract: Contract, type: string) {
  const found = protoPackage(contract)[type];
  if (found === undefined || !("serialize" in found) || typeof found.serialize !== "function") {
    throw new Error(`${type} is not a message of ${contract}`);
  }
  return found as { serialize(message: object): Buffer; deserialize(bytes: Buffer): object };
}
