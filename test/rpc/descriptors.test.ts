import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "chai";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { fileDescriptors } from "../../lib/rpc/descriptors.ts";
import { root } from "../repository.ts";

const contracts = [
  "amaas/registry/v1/control.proto",
  "amaas/registry/v1/registry.proto",
  "amaas/trainer/v1/trainer.proto",
  "google/rpc/error_details.proto",
  "inference/grpc_service.proto",
];

interface Described {
  readonly name: string;
  readonly dependency?: readonly string[];
}

const json = (file: object) => descriptor.FileDescriptorProto.toObject(file as never, { enums: String }) as Described;

describe("the descriptors that reflection serves", () => {
  const ours = new Map(
    fileDescriptors(contracts, join(root, "protos"))
      .map((bytes) => json(descriptor.FileDescriptorProto.decode(bytes)))
      .map((file) => [file.name, file]),
  );

  it("say of every contract what a compiler says", () => {
    const buf = join(root, "node_modules", ".bin", "buf");
    const built = spawnSync(buf, ["build", "protos", "--as-file-descriptor-set", "--exclude-source-info", "-o", "-"], {
      cwd: root,
      maxBuffer: 16 * 1024 ** 2,
    });
    expect(built.status, built.stderr?.toString()).to.equal(0);
    const { file } = descriptor.FileDescriptorSet.decode(built.stdout) as unknown as { readonly file: object[] };
    const theirs = new Map(file.map(json).map((described) => [described.name, described]));
    expect([...theirs.keys()]).to.include.members(contracts);
    for (const name of contracts) expect(comparable(ours.get(name)), name).to.deep.equal(comparable(theirs.get(name)));
  });

  it("include everything that is imported", () => {
    for (const { name, dependency } of ours.values()) {
      for (const imported of dependency ?? []) expect(ours.has(imported), `${name} imports ${imported}`).to.equal(true);
    }
    expect([...ours.keys()]).to.include.members([
      "google/protobuf/timestamp.proto",
      "google/protobuf/field_mask.proto",
    ]);
  });
});

/** Without what only compilers write, and the options of methods, and with what has no order in a fixed one. */
function comparable(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) {
    const parts = value.filter((part) => part !== annotations).map((part) => comparable(part));
    return ["nestedType", "enumType", "dependency"].includes(key)
      ? parts.map((part) => JSON.stringify(part)).sort()
      : parts;
  }
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(
    ([name, part]) => !["jsonName", "reservedRange"].includes(name) && part !== false,
  );
  return Object.fromEntries(
    kept
      .map(([name, part]) => [name, comparable(part, name)] as const)
      .filter(([, part]) => !isEmpty(part))
      .sort(),
  );
}

/** What only options need is no part of what reflection tells. */
const annotations = "google/api/annotations.proto";

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
