import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { Lineage__Output } from "../../../lib/gen/amaas/registry/v1/Lineage.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { Signature as SignatureMessage } from "../../../lib/gen/amaas/registry/v1/Signature.ts";
import type { Version, Version__Output } from "../../../lib/gen/amaas/registry/v1/Version.ts";
import { pageKeyOf, pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import {
  artifactName,
  parseArtifactName,
  parseJobName,
  parseModelName,
  parseVersionChoice,
  versionName,
  versionNumber,
} from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { Signature, TensorSpec } from "../../../lib/tensor.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { ArtifactFiles } from "../artifacts/artifact-files.ts";
import { onnxBytesMax, readOnnxFile } from "../artifacts/onnx-file.ts";
import type { ReadingTurns } from "../artifacts/reading-turns.ts";
import type { CatalogueChanges } from "../control/catalogue-changes.ts";
import type { ArtifactStore } from "../store/artifacts.ts";
import type { VersionRow } from "../store/schema.ts";
import type { NewVersion, VersionStore } from "../store/versions.ts";
import { checkPairs, checkText, invalid } from "./requests.ts";

/** What the calls about versions need. */
export interface VersionHandlerParts {
  readonly versions: VersionStore;
  readonly artifacts: ArtifactStore;
  readonly files: ArtifactFiles;
  readonly turns: ReadingTurns;
  readonly changes: CatalogueChanges;
  readonly clock: Clock;
}

/** The calls about versions. */
export function versionHandlers(
  parts: VersionHandlerParts,
): Pick<Handlers<RegistryServiceHandlers>, "CreateVersion" | "GetVersion" | "ListVersions"> {
  const { versions, changes } = parts;
  return {
    CreateVersion: async ({ parent, version, requestId, allowMissingModel }, { signal }) => {
      const model = parseModelName(parent, "parent");
      checkText("request_id", requestId, 128);
      const row = await versions.create(await read(parts, model, version, requestId, signal), allowMissingModel);
      changes.changed(model);
      return versionMessage(row);
    },

    GetVersion: async ({ name }) => {
      const { model, version } = parseVersionChoice(name);
      return versionMessage(await versions.get(model, version));
    },

    ListVersions: async ({ parent, pageSize, pageToken }) => {
      const size = pageSizeOf(pageSize);
      const before = versionBefore(pageToken);
      const model = parseModelName(parent, "parent");
      const found = await versions.list(model, size + 1, before);
      const page = found.slice(0, size);
      const nextPageToken = found.length > size ? pageTokenOf(String(page[size - 1].number)) : "";
      return { versions: page.map(versionMessage), nextPageToken };
    },
  };
}

/** The version behind which a page begins; undefined for the first page. */
function versionBefore(pageToken: string): number | undefined {
  const key = pageKeyOf(pageToken);
  const number = versionNumber(key ?? "");
  if (key !== undefined && number === undefined) throw invalid("page_token", pageToken, "one from a page of versions");
  return number;
}

/** Checks what the caller says of a version, and reads the rest from the file. */
async function read(
  { artifacts, files, turns, clock }: VersionHandlerParts,
  model: string,
  version: Version__Output | null,
  requestId: string,
  signal: AbortSignal,
): Promise<NewVersion> {
  const sha256 = parseArtifactName(version?.artifact ?? "", "version.artifact");
  const metrics = version?.metrics ?? {};
  checkMetrics(metrics);
  const lineage = version?.lineage ?? null;
  checkLineage(lineage);
  const { size_bytes } = await artifacts.get(sha256);
  if (size_bytes > onnxBytesMax) throw tooLarge(sha256, size_bytes);
  const file = await turns.during(async () => readOnnxFile(await files.readWhole(sha256)), signal);
  const { signature, parameterCount, opset } = file;
  return {
    model,
    sha256,
    signature_json: JSON.stringify(signature),
    metrics_json: JSON.stringify(metrics),
    lineage_json: JSON.stringify(lineage),
    size_bytes,
    parameter_count: parameterCount,
    opset,
    create_time: clock.now(),
    request_id: requestId === "" ? null : requestId,
  };
}

function tooLarge(sha256: string, sizeBytes: number): ServiceError {
  const needed = `at most ${onnxBytesMax} in an ONNX file`;
  return new ServiceError("ARTIFACT_INVALID", `${artifactName(sha256)} has ${sizeBytes} bytes; needed: ${needed}`);
}

function checkMetrics(metrics: Readonly<Record<string, number>>): void {
  const entries = Object.entries(metrics);
  if (entries.length > 256) throw invalid("version.metrics", `${entries.length} metrics`, "at most 256 metrics");
  for (const [name, value] of entries) {
    checkText("a name of version.metrics", name, 128);
    if (!Number.isFinite(value)) throw invalid(`version.metrics[${JSON.stringify(name)}]`, value, "a finite number");
  }
}

function checkLineage(lineage: Lineage__Output | null): void {
  if (lineage === null) return;
  if (lineage.job !== "") parseJobName(lineage.job, "version.lineage.job");
  if (lineage.datasets.length > 256) {
    throw invalid("version.lineage.datasets", `${lineage.datasets.length} datasets`, "at most 256 datasets");
  }
  for (const dataset of lineage.datasets) parseArtifactName(dataset, "version.lineage.datasets");
  const bounds = { countMax: 256, keyCharactersMax: 128, valueCharactersMax: 65_536 };
  checkPairs("version.lineage.hyper_parameters", lineage.hyperParameters, bounds);
}

function versionMessage(row: VersionRow): Version {
  return {
    name: versionName(row.model, row.number),
    artifact: artifactName(row.sha256),
    signature: signatureMessage(JSON.parse(row.signature_json)),
    metrics: JSON.parse(row.metrics_json),
    lineage: JSON.parse(row.lineage_json),
    sizeBytes: row.size_bytes,
    parameterCount: row.parameter_count,
    opset: row.opset,
    createTime: timestampOf(row.create_time),
  };
}

function signatureMessage({ inputs, outputs }: Signature): SignatureMessage {
  const tensor = ({ name, dataType, shape }: TensorSpec) => ({
    name,
    dataType,
    shape: shape.map((axis) => (typeof axis === "number" ? { size: axis } : { symbol: axis })),
  });
  return { inputs: inputs.map(tensor), outputs: outputs.map(tensor) };
}
