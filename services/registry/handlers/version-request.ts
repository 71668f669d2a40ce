import type { ExternalFile__Output } from "../../../lib/gen/amaas/registry/v1/ExternalFile.ts";
import type { Lineage__Output } from "../../../lib/gen/amaas/registry/v1/Lineage.ts";
import type { Variant__Output } from "../../../lib/gen/amaas/registry/v1/Variant.ts";
import type { Version__Output } from "../../../lib/gen/amaas/registry/v1/Version.ts";
import { isExternalLocation } from "../../../lib/onnx/external-data.ts";
import { idPattern, parseArtifactName, parseJobName, parseVersionName } from "../../../lib/resource-names.ts";
import type { NewLineage, NewVersion } from "../store/new-version.ts";
import { variantsMax } from "../store/registration.ts";
import type { ExternalFile, NewVariant } from "../store/variants.ts";
import { checkBytes, checkPairs, checkText, invalid } from "./requests.ts";

/** Checks what its owner says of a version; what the registry sets itself is ignored. */
export function newVersionOf(model: string, version: Version__Output | null, sampleJson: string | null): NewVersion {
  const { variants = [], metrics = {}, tags = {}, metadata = {}, modelCard = "", lineage = null } = version ?? {};
  checkNumbers("version.metrics", metrics, 256);
  checkTags("version.tags", tags);
  checkPairs("version.metadata", metadata, longPairs);
  checkText("version.model_card", modelCard, 262_144);
  return {
    model,
    variants: newVariantsOf(variants),
    metrics,
    tags,
    metadata,
    modelCard,
    lineage: lineage && newLineageOf(lineage),
    sampleJson,
  };
}

/** What lists of versions can carry. */
const longPairs = { countMax: 256, keyCharactersMax: 128, valueCharactersMax: 65_536, bytesMax: 1024 ** 2 };

/** Throws REQUEST_INVALID where tags are more or longer than a version may have. */
export function checkTags(field: string, tags: Readonly<Record<string, string>>): void {
  checkPairs(field, tags, { countMax: 64, keyCharactersMax: 128, valueCharactersMax: 1024 });
}

function newVariantsOf(variants: readonly Variant__Output[]): NewVariant[] {
  const field = "version.variants";
  if (variants.length === 0) throw invalid(field, "empty", `1 to ${variantsMax} variants`);
  if (variants.length > variantsMax) {
    throw invalid(field, `${variants.length} variants`, `at most ${variantsMax} variants`);
  }
  const checked = variants.map((variant, index) => {
    const id = variant.id === "" && index === 0 ? primaryId : variant.id;
    return newVariantOf(`${field}[${index}]`, { ...variant, id });
  });
  checkDistinct(
    (index) => `${field}[${index}].id`,
    checked.map(({ id }) => id),
  );
  return checked;
}

const primaryId = "default";

/** Checks what its owner says of a variant. */
export function newVariantOf(field: string, variant: Variant__Output): NewVariant {
  const { id, precision, executionProviders, artifact, externalFiles, quality } = variant;
  if (!idPattern.test(id)) throw invalid(`${field}.id`, JSON.stringify(id.slice(0, 100)), `an id like ${idPattern}`);
  checkText(`${field}.precision`, precision, 64);
  if (executionProviders.length > providersMax) {
    throw invalid(`${field}.execution_providers`, `${executionProviders.length} names`, `at most ${providersMax}`);
  }
  const providerField = (index: number) => `${field}.execution_providers[${index}]`;
  for (const [index, provider] of executionProviders.entries()) {
    if (provider === "") throw invalid(providerField(index), "an empty name", "a name such as cpu");
    checkText(providerField(index), provider, 64);
  }
  checkDistinct(providerField, executionProviders);
  checkNumbers(`${field}.quality`, quality, 64);
  return {
    id,
    precision: precision || "fp32",
    executionProviders,
    sha256: parseArtifactName(artifact, `${field}.artifact`),
    externalFiles: externalFilesOf(`${field}.external_files`, externalFiles),
    quality,
  };
}

const providersMax = 16;

function externalFilesOf(field: string, files: readonly ExternalFile__Output[]): ExternalFile[] {
  if (files.length > externalFilesMax)
    throw invalid(field, `${files.length} files`, `at most ${externalFilesMax} files`);
  const checked = files.map(({ location, artifact }, index) => {
    checkLocation(`${field}[${index}].location`, location);
    return { location, sha256: parseArtifactName(artifact, `${field}[${index}].artifact`) };
  });
  const locations = checked.map(({ location }) => location);
  checkBytes(field, locations, locationsBytesMax);
  checkDistinct((index) => `${field}[${index}].location`, locations);
  const folders = new Set(locations.flatMap(foldersOf));
  const both = locations.findIndex((location) => folders.has(location));
  if (both >= 0) {
    const seen = JSON.stringify(locations[both]);
    throw invalid(`${field}[${both}].location`, seen, "no folder that another file lies in");
  }
  return checked.sort((a, b) => (a.location < b.location ? -1 : 1));
}

const externalFilesMax = 1024;

/** Of all files of a variant: what lists of versions can carry. */
const locationsBytesMax = 128 * 1024;

/** No file system takes longer names. */
function checkLocation(field: string, location: string): void {
  checkText(field, location, 1024);
  const isTooLong = location.split("/").some((part) => Buffer.byteLength(part) > 255);
  if (isExternalLocation(location) && !isTooLong) return;
  const needed = 'a relative path with "/" between its parts, without "." and "..", each of at most 255 bytes';
  throw invalid(field, JSON.stringify(location.slice(0, 100)), needed);
}

/** The folders above a file. */
function foldersOf(location: string): string[] {
  const parts = location.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

function newLineageOf(lineage: Lineage__Output): NewLineage {
  const { parentVersion, job, datasets, code, hyperParameters } = lineage;
  const field = "version.lineage";
  if (datasets.length > 256) throw invalid(`${field}.datasets`, `${datasets.length} datasets`, "at most 256 datasets");
  checkPairs(`${field}.hyper_parameters`, hyperParameters, longPairs);
  if (!Number.isSafeInteger(lineage.seed ?? 0)) {
    throw invalid(`${field}.seed`, lineage.seed, `${Number.MIN_SAFE_INTEGER} to ${Number.MAX_SAFE_INTEGER}`);
  }
  checkText(`${field}.code.repository`, code?.repository ?? "", 1024);
  checkText(`${field}.code.revision`, code?.revision ?? "", 256);
  checkText(`${field}.code.path`, code?.path ?? "", 1024);
  return {
    message: {
      parentVersion,
      job,
      datasets,
      code,
      ...(lineage._seed !== undefined && { seed: lineage.seed }),
      hyperParameters,
    },
    parent: parentVersion === "" ? undefined : parseVersionName(parentVersion, `${field}.parent_version`),
    job: job === "" ? undefined : parseJobName(job, `${field}.job`),
    datasets: datasets.map((dataset, index) => parseArtifactName(dataset, `${field}.datasets[${index}]`)),
  };
}

function checkNumbers(field: string, numbers: Readonly<Record<string, number>>, countMax: number): void {
  const entries = Object.entries(numbers);
  if (entries.length > countMax) throw invalid(field, `${entries.length} numbers`, `at most ${countMax} numbers`);
  for (const [name, value] of entries) {
    if (name === "") throw invalid(field, "a number without a name", "a name for every number");
    checkText(`a name of ${field}`, name, 128);
    if (!Number.isFinite(value)) throw invalid(`${field}[${JSON.stringify(name)}]`, value, "a finite number");
  }
}

function checkDistinct(field: (index: number) => string, values: readonly string[]): void {
  const seen = new Set<string>();
  for (const [index, value] of values.entries()) {
    if (seen.has(value)) throw invalid(field(index), `${JSON.stringify(value)} once more`, "each once");
    seen.add(value);
  }
}
