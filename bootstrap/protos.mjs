import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runChild } from "./child.mjs";
import { StepFailed, tell } from "./console.mjs";
import { root } from "./root.mjs";
import { digest, stamp, stampOf, unstamp } from "./stamps.mjs";

const target = "lib/gen";

/** Must say the same as the loader's options in lib/rpc/protos.ts. */
const options = [
  "--grpcLib=@grpc/grpc-js",
  "--includeDirs=protos",
  "--keepCase=false",
  "--enums=String",
  "--defaults",
  "--oneofs",
  "--importFileExtension=.ts",
];

/** Which contracts have their 64-bit integers as what: tensor elements as text, sizes and counts as numbers. */
const groups = [
  { longs: "String", files: ["inference/grpc_service.proto"] },
  {
    longs: "Number",
    files: ["amaas/registry/v1/registry.proto", "amaas/registry/v1/control.proto", "amaas/trainer/v1/trainer.proto"],
  },
];

/** Where the contracts of reflection are; a file's name begins behind it. */
const modules = ["protos", "node_modules/grpc-health-check/proto"];

/** What the types and descriptions are made by. */
const generators = [
  "bootstrap/protos.mjs",
  "node_modules/@grpc/proto-loader/package.json",
  "node_modules/@bufbuild/buf/package.json",
];

export function generatedIsStale() {
  return stampOf(target) !== protosDigest();
}

/** Writes the TypeScript types of the contracts; replaces the whole folder, so that nothing outlives its contract. */
export async function generate() {
  tell("generating types from protos/");
  unstamp(target);
  const wanted = protosDigest();
  const fresh = join(root, "dist", ".gen");
  const old = join(root, "dist", ".gen-old");
  for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  for (const { longs, files } of groups) {
    const program = join(root, "node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js");
    const args = [program, ...options, `--longs=${longs}`, `--outDir=${fresh}`, ...files];
    const code = await runChild(process.execPath, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
    if (code !== 0) throw new StepFailed(`the types of ${files.join(", ")} could not be generated (code ${code})`);
  }
  await describe(fresh);
  silence(fresh);
  if (existsSync(join(root, target))) renameSync(join(root, target), old);
  renameSync(fresh, join(root, target));
  rmSync(old, { recursive: true, force: true });
  stamp(target, wanted);
}

/** Writes what a compiler says of every contract, file by file: nothing has to be parsed when a service starts. */
async function describe(folder) {
  // Not there before the packages are.
  const { default: protobuf } = await import("protobufjs");
  const { default: descriptor } = await import("protobufjs/ext/descriptor/index.js");
  const files = {};
  for (const module of modules) {
    const set = join(folder, "set.binpb");
    const program = join(root, "node_modules/@bufbuild/buf/bin/buf");
    const args = [program, "build", module, "--as-file-descriptor-set", "--exclude-source-info", "-o", set];
    const code = await runChild(process.execPath, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
    if (code !== 0) throw new StepFailed(`the contracts in ${module} could not be described (code ${code})`);
    const reader = protobuf.Reader.create(readFileSync(set));
    while (reader.pos < reader.len) {
      reader.uint32();
      const bytes = reader.bytes();
      const { name, dependency } = descriptor.FileDescriptorProto.decode(bytes);
      files[name] = { imports: dependency, bytes: Buffer.from(bytes).toString("base64") };
    }
    rmSync(set);
  }
  const text = `/** A FileDescriptorProto in base64, and the files that it imports, by name. */\nexport const descriptors = `;
  writeFileSync(join(folder, "descriptors.ts"), `${text}${JSON.stringify(files, null, 2)};\n`);
}

/** The generator leaves unused imports behind, which our compiler options refuse. */
function silence(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    writeFileSync(file, `// @ts-nocheck\n${readFileSync(file, "utf8")}`);
  }
}

function protosDigest() {
  return digest([...modules, ...generators], isProto, { others: [options, groups] });
}

function isProto(name) {
  return name.endsWith(".proto");
}
