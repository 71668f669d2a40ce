import { expect } from "chai";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { reflectedPackage } from "../../lib/rpc/protos.ts";

interface Described {
  readonly name: string;
  readonly dependency?: readonly string[];
  readonly messageType?: readonly { readonly name: string; readonly options?: object }[];
}

describe("the descriptors that reflection serves", () => {
  const { fileDescriptorProtos } = Object.values(
    reflectedPackage(["amaas.registry.v1.RegistryService", "grpc.health.v1.Health"]),
  )[0] as unknown as { readonly fileDescriptorProtos: readonly Buffer[] };
  const files = new Map(
    fileDescriptorProtos
      .map(
        (bytes) => descriptor.FileDescriptorProto.toObject(descriptor.FileDescriptorProto.decode(bytes)) as Described,
      )
      .map((file) => [file.name, file]),
  );

  it("include everything that is imported", () => {
    for (const { name, dependency } of files.values()) {
      for (const imported of dependency ?? [])
        expect(files.has(imported), `${name} imports ${imported}`).to.equal(true);
    }
  });

  it("include the services, the types that they use and the details of errors, and no other service", () => {
    expect([...files.keys()]).to.include.members([
      "amaas/registry/v1/registry.proto",
      "amaas/registry/v1/version.proto",
      "google/api/annotations.proto",
      "google/protobuf/timestamp.proto",
      "google/rpc/error_details.proto",
      "health/v1/health.proto",
    ]);
    expect([...files.keys()]).not.to.include("amaas/trainer/v1/trainer.proto");
  });
});
