import { createHash } from "node:crypto";
import { artifactName } from "../../../lib/resource-names.ts";
import type { Signature, TensorSpec } from "../../../lib/tensor.ts";
import { namesOf } from "./existing-names.ts";
import type { ArtifactRow, VariantRow, VersionRow } from "./schema.ts";
import type { Outcome } from "./validations.ts";
import type { FullVersion } from "./version-rows.ts";

/** A file beside an ONNX file, by its path as the ONNX file has it. */
export interface ExternalFile {
  readonly location: string;
  readonly sha256: string;
}

/** What its owner says of a variant. */
export interface NewVariant {
  readonly id: string;
  readonly precision: string;
  readonly executionProviders: readonly string[];
  /** The SHA-256 of the ONNX file. */
  readonly sha256: string;
  /** Ascending by location. */
  readonly externalFiles: readonly ExternalFile[];
  readonly quality: Readonly<Record<string, number>>;
}

/** Names the content of all files of a variant. */
export function variantDigest({ sha256, externalFiles }: Pick<NewVariant, "sha256" | "externalFiles">): string {
  const hash = createHash("sha256").update(sha256);
  for (const file of externalFiles) hash.update(`\n${file.sha256} ${file.location}`);
  return hash.digest("hex");
}

/** A variant whose files nobody has looked for yet. */
export function newVariantRow(
  model: string,
  number: number,
  position: number,
  variant: NewVariant,
  timeMs: number,
): VariantRow {
  return {
    model,
    number,
    id: variant.id,
    position,
    precision: variant.precision,
    execution_providers_json: JSON.stringify(variant.executionProviders),
    sha256: variant.sha256,
    external_files_json: JSON.stringify(variant.externalFiles),
    quality_json: JSON.stringify(variant.quality),
    digest: variantDigest(variant),
    size_bytes: 0,
    memory_bytes: 0,
    state: "UPLOADING",
    state_reason: "",
    create_time: timeMs,
    lease_holder: null,
    lease_time: timeMs,
    attempts: 0,
  };
}

/** The digests of all files of a variant, the ONNX file first. */
function filesOf({ sha256, external_files_json }: VariantRow): string[] {
  const externalFiles = JSON.parse(external_files_json) as ExternalFile[];
  return [sha256, ...externalFiles.map((file) => file.sha256)];
}

/** What became of a version when some of its files have arrived; `stored` has all that are there. */
export function afterArrival(full: FullVersion, stored: ReadonlyMap<string, ArtifactRow>): FullVersion {
  const variants = full.variants.map((variant) => arrived(variant, stored));
  const [{ size_bytes }] = variants as [VariantRow];
  const version = size_bytes === full.version.size_bytes ? full.version : { ...full.version, size_bytes };
  const missing = variants
    .filter(({ state }) => state === "UPLOADING")
    .flatMap(filesOf)
    .filter((sha256) => !stored.has(sha256));
  return settled({ version, variants }, missing);
}

function arrived(variant: VariantRow, stored: ReadonlyMap<string, ArtifactRow>): VariantRow {
  if (variant.state !== "UPLOADING") return variant;
  const files = filesOf(variant).map((sha256) => stored.get(sha256));
  if (files.includes(undefined)) return variant;
  const size_bytes = files.reduce((sum, file) => sum + file!.size_bytes, 0);
  return { ...variant, size_bytes, state: "VALIDATING" };
}

/** What became of a version when the validations of some of its variants are known, by their digests. */
export function afterValidation(full: FullVersion, outcomes: ReadonlyMap<string, Outcome>): FullVersion {
  let { version } = full;
  const variants: VariantRow[] = [];
  for (const variant of full.variants) {
    const outcome = variant.state === "VALIDATING" ? outcomes.get(variant.digest) : undefined;
    const isPrimary = variant.position === 0;
    // The others are measured by the primary.
    if (outcome === undefined || !(isPrimary || variants[0]?.state === "READY")) variants.push(variant);
    else {
      if (isPrimary && outcome.kind === "accepted") version = withFacts(version, outcome.facts);
      variants.push(concluded(version, variant, outcome));
    }
  }
  return settled({ version, variants });
}

/** What became of a version when some of its variants are given up; those that were validated stay. */
export function afterRefusal(
  full: FullVersion,
  isConcerned: (variant: VariantRow) => boolean,
  reason: string,
): FullVersion {
  const variants = full.variants.map((variant) => (isConcerned(variant) ? refused(variant, reason) : variant));
  return settled({ ...full, variants });
}

function refused(variant: VariantRow, reason: string): VariantRow {
  if (variant.state !== "UPLOADING" && variant.state !== "VALIDATING") return variant;
  return { ...variant, state: "REJECTED", state_reason: reason, lease_holder: null };
}

function withFacts(version: VersionRow, facts: Extract<Outcome, { kind: "accepted" }>["facts"]): VersionRow {
  return {
    ...version,
    signature_json: JSON.stringify(facts.signature),
    operators_json: JSON.stringify(facts.operators),
    opsets_json: JSON.stringify(facts.opsets),
    parameter_count: facts.parameterCount,
  };
}

function concluded(version: VersionRow, variant: VariantRow, outcome: Outcome): VariantRow {
  if (outcome.kind === "rejected") return refused(variant, outcome.reason);
  const { signature, memoryBytes } = outcome.facts;
  const difference = signatureDifference(JSON.parse(version.signature_json!), signature);
  if (difference !== undefined) return refused(variant, difference);
  return { ...variant, state: "READY", memory_bytes: memoryBytes, lease_holder: null };
}

/** The state of a version that is not settled follows from those of its variants. */
function settled({ version, variants }: FullVersion, missing?: readonly string[]): FullVersion {
  if (version.state !== "UPLOADING" && version.state !== "VALIDATING") return { version, variants };
  const rejected = variants.find(({ state }) => state === "REJECTED");
  if (rejected !== undefined) {
    const { id, state_reason } = rejected;
    const reason = variants.length === 1 ? state_reason : `variant ${id}: ${state_reason}`;
    return {
      version: { ...version, state: "REJECTED", state_reason: reason },
      variants: variants.map((variant) => refused(variant, `variant ${id} is rejected`)),
    };
  }
  const state = (["UPLOADING", "VALIDATING"] as const).find((state) => variants.some((one) => one.state === state));
  const state_reason = state === "UPLOADING" ? missingText(version, missing) : "";
  if (version.state === (state ?? "READY") && version.state_reason === state_reason) return { version, variants };
  return { version: { ...version, state: state ?? "READY", state_reason }, variants };
}

function missingText({ state_reason }: VersionRow, missing: readonly string[] | undefined): string {
  return missing === undefined ? state_reason : `missing: ${namesOf([...new Set(missing)].map(artifactName))}`;
}

/** How the signature of a variant differs from that of the version; undefined where it does not. */
function signatureDifference(version: Signature, variant: Signature): string | undefined {
  for (const role of ["inputs", "outputs"] as const) {
    const names = new Set([...version[role], ...variant[role]].map(({ name }) => name));
    for (const name of names) {
      const [needed, seen] = [version, variant].map((signature) => specText(signature[role], name));
      if (seen === needed) continue;
      return `its signature is not that of the version: ${role} have ${name} as ${seen}; needed: ${needed}`;
    }
  }
  return undefined;
}

function specText(specs: readonly TensorSpec[], name: string): string {
  const spec = specs.find((one) => one.name === name);
  if (spec === undefined) return "missing";
  return `${spec.dataType} [${spec.shape.join(", ")}]${spec.optional ? " optional" : ""}`;
}
