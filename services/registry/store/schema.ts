/** The tables of the catalogue. Times are milliseconds since 1970; texts that end in `_json` hold JSON. */
export interface Schema {
  models: ModelRow;
  versions: VersionRow;
  aliases: AliasRow;
  artifacts: ArtifactRow;
}

export interface ModelRow {
  id: string;
  owner: string;
  description: string;
  tags_json: string;
  create_time: number;
  update_time: number;
  etag: string;
  /** The number that the next version gets; it never goes back. */
  next_version: number;
}

export interface VersionRow {
  model: string;
  number: number;
  sha256: string;
  signature_json: string;
  metrics_json: string;
  lineage_json: string;
  size_bytes: number;
  parameter_count: number;
  opset: number;
  create_time: number;
  /** The idempotency key of the call that made it; null where it had none. */
  request_id: string | null;
}

export interface AliasRow {
  model: string;
  id: string;
  version: number;
  update_time: number;
  etag: string;
}

export interface ArtifactRow {
  sha256: string;
  size_bytes: number;
  create_time: number;
}
