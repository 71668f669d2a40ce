import type { Signature as SignatureMessage } from "../../../lib/gen/amaas/registry/v1/Signature.ts";
import type { Variant } from "../../../lib/gen/amaas/registry/v1/Variant.ts";
import type { Version } from "../../../lib/gen/amaas/registry/v1/Version.ts";
import { artifactName, versionName } from "../../../lib/resource-names.ts";
import type { Signature, TensorSpec } from "../../../lib/tensor.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { VariantRow, VersionRow } from "../store/schema.ts";

/** A version as the contract has it. */
export function versionMessage(row: VersionRow, variants: readonly VariantRow[]): Version {
  return {
    name: versionName(row.model, row.number),
    state: `VERSION_STATE_${row.state}`,
    stateReason: row.state_reason,
    variants: variants.map(variantMessage),
    signature: row.signature_json === null ? null : signatureMessage(JSON.parse(row.signature_json)),
    operators: JSON.parse(row.operators_json),
    opsets: JSON.parse(row.opsets_json),
    parameterCount: row.parameter_count,
    sizeBytes: row.size_bytes,
    metrics: JSON.parse(row.metrics_json),
    tags: JSON.parse(row.tags_json),
    metadata: JSON.parse(row.metadata_json),
    modelCard: row.model_card,
    lineage: row.lineage_json === null ? null : JSON.parse(row.lineage_json),
    createTime: timestampOf(row.create_time),
    updateTime: timestampOf(row.update_time),
    etag: row.etag,
  };
}

function signatureMessage({ inputs, outputs }: Signature): SignatureMessage {
  return { inputs: inputs.map(tensorMessage), outputs: outputs.map(tensorMessage) };
}

function tensorMessage({ name, dataType, shape, optional = false }: TensorSpec) {
  const axes = shape.map((axis) => (typeof axis === "number" ? { size: axis } : { symbol: axis }));
  return { name, dataType, shape: axes, optional };
}

function variantMessage(row: VariantRow): Variant {
  const externalFiles = JSON.parse(row.external_files_json) as { location: string; sha256: string }[];
  return {
    id: row.id,
    precision: row.precision,
    executionProviders: JSON.parse(row.execution_providers_json),
    artifact: artifactName(row.sha256),
    externalFiles: externalFiles.map(({ location, sha256 }) => ({ location, artifact: artifactName(sha256) })),
    quality: JSON.parse(row.quality_json),
    sizeBytes: row.size_bytes,
    memoryBytes: row.memory_bytes,
    digest: row.digest,
    state: `VERSION_STATE_${row.state}`,
    stateReason: row.state_reason,
    createTime: timestampOf(row.create_time),
  };
}
