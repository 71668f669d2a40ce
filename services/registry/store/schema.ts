import type { Generated } from "kysely";

/**
 * The tables of the catalogue, the same in both databases. Times are milliseconds since 1970; texts that end in `_json` hold
 * JSON; flags are 0 or 1.
 */
export interface Schema {
  models: ModelRow;
  model_tags: ModelTagRow;
  versions: VersionRow;
  version_tags: VersionTagRow;
  version_samples: VersionSampleRow;
  variants: VariantRow;
  validations: ValidationRow;
  aliases: AliasRow;
  alias_versions: AliasVersionRow;
  alias_past_targets: AliasVersionRow;
  alias_revisions: AliasRevisionRow;
  alias_routes: AliasRouteRow;
  serving_settings: ServingSettingsRow;
  artifacts: ArtifactRow;
  artifact_uses: ArtifactUseRow;
  holds: HoldRow;
  lineage: LineageRow;
  changes: ChangeRow;
  counters: CounterRow;
  turns: TurnRow;
  registries: RegistryRow;
  nodes: NodeRow;
}

export interface ModelRow {
  id: string;
  owner: string;
  description: string;
  tags_json: string;
  compatibility: Compatibility;
  create_time: number;
  update_time: number;
  /** Null while it lives. */
  delete_time: number | null;
  etag: string;
  /** The number that the next version gets; it never goes back. */
  next_version: number;
}

/** The contract's words without their prefix. */
export type Compatibility =
  | "NONE"
  | "BACKWARD"
  | "BACKWARD_TRANSITIVE"
  | "FORWARD"
  | "FORWARD_TRANSITIVE"
  | "FULL"
  | "FULL_TRANSITIVE";

/** For search: the same pairs as `models.tags_json`. */
export interface ModelTagRow {
  model: string;
  key: string;
  value: string;
}

/** Of a version and of a variant; the contract's word without its prefix. */
export const versionStates = ["UPLOADING", "VALIDATING", "READY", "REJECTED", "DEPRECATED", "DELETED"] as const;
export type VersionState = (typeof versionStates)[number];

export interface VersionRow {
  model: string;
  number: number;
  state: VersionState;
  state_reason: string;
  /** Null until it is validated. */
  signature_json: string | null;
  operators_json: string;
  opsets_json: string;
  parameter_count: number;
  size_bytes: number;
  metrics_json: string;
  tags_json: string;
  metadata_json: string;
  model_card: string;
  /** Null where nothing was said. */
  lineage_json: string | null;
  create_time: number;
  update_time: number;
  etag: string;
  /** The idempotency key of the call that made it; null where it had none. */
  request_id: string | null;
  /** Of the files that the call named. */
  request_digest: string;
}

/** For search: the same pairs as `versions.tags_json`. */
export interface VersionTagRow {
  model: string;
  number: number;
  key: string;
  value: string;
}

/** What the variants of a version are run on when they are validated; as long as variants may come. */
export interface VersionSampleRow {
  model: string;
  number: number;
  sample_json: string;
}

export interface VariantRow {
  model: string;
  number: number;
  id: string;
  /** From 0, the primary. */
  position: number;
  precision: string;
  execution_providers_json: string;
  /** The SHA-256 of the ONNX file. */
  sha256: string;
  /** `[{ location, sha256 }]`, ascending by location. */
  external_files_json: string;
  quality_json: string;
  /** Names the content of all its files. */
  digest: string;
  size_bytes: number;
  memory_bytes: number;
  state: VersionState;
  state_reason: string;
  create_time: number;
  /** The claim of whoever validates it, and from when on it may be claimed by another one. */
  lease_holder: string | null;
  lease_time: number;
  /** How often somebody has begun to validate it. */
  attempts: number;
}

/** The outcome of a validation: a pure function of the content, the sample and the runtime. */
export interface ValidationRow {
  /** Of the variant's digest, the sample and the runtime's version. */
  key: string;
  outcome_json: string;
  create_time: number;
}

export interface AliasRow {
  model: string;
  id: string;
  /** `[{ version, weight }]`. */
  targets_json: string;
  /** `[{ version, share }]`. */
  mirrors_json: string;
  revision: number;
  etag: string;
  update_time: number;
  principal: string;
  reason: string;
}

/**
 * For search. `alias_versions`: which versions an alias that exists targets or mirrors. `alias_past_targets`: which ones it
 * targets or has ever targeted, also where it is deleted.
 */
export interface AliasVersionRow {
  model: string;
  alias: string;
  version: number;
}

export interface AliasRevisionRow {
  model: string;
  alias: string;
  revision: number;
  targets_json: string;
  mirrors_json: string;
  deleted: number;
  forced: number;
  time: number;
  principal: string;
  reason: string;
}

/** Where an alias led when last one of its targets was ready: requests go there until a later revision is ready. */
export interface AliasRouteRow {
  model: string;
  alias: string;
  revision: number;
}

/** Every revision; the one with the highest number holds. */
export interface ServingSettingsRow {
  model: string;
  revision: number;
  /** What the owner may set, as the contract has it. */
  settings_json: string;
  etag: string;
  update_time: number;
  principal: string;
  reason: string;
}

export interface ArtifactRow {
  sha256: string;
  size_bytes: number;
  state: "STORED" | "CORRUPT" | "COLLECTING";
  /** Names its bytes in the byte store; bytes that are stored anew have another one. */
  location: string;
  create_time: number;
  /**
   * When somebody last uploaded it, also without storing it again, or deleted a version of it, or a hold of it ended whose row is
   * gone: the collector's grace counts from here.
   */
  upload_time: number;
  scrub_time: number | null;
}

/** What keeps an artifact: versions that are not deleted, by their files and their datasets. */
export interface ArtifactUseRow {
  sha256: string;
  model: string;
  number: number;
  /** "file" or "dataset". */
  role: "file" | "dataset";
}

export interface HoldRow {
  resource: string;
  holder: string;
  create_time: number;
  expire_time: number;
}

export interface LineageRow {
  parent: string;
  child: string;
  relation: "DERIVED" | "TRAINED_ON" | "MADE_BY";
}

export const resourceKinds = ["MODEL", "VERSION", "ALIAS", "SERVING_SETTINGS", "ARTIFACT", "HOLD"] as const;
export type ResourceKind = (typeof resourceKinds)[number];

/** Only ever added. */
export interface ChangeRow {
  sequence: number;
  /** Never earlier than that of the change before. */
  time: number;
  principal: string;
  call: string;
  request_id: string;
  kind: ResourceKind;
  resource: string;
  /** The id of the model that the resource is or belongs to; null where it belongs to none. */
  model: string | null;
  /** The resource as the contract has it; null where there was none. */
  before_json: string | null;
  after_json: string | null;
  /** Of both together; what a reader must have room for. */
  json_bytes: number;
}

export interface CounterRow {
  name: string;
  value: number;
  /** Of the newest change. */
  time: Generated<number>;
}

/** Something that one of the registries does once in an interval. */
export interface TurnRow {
  name: string;
  /** When what was done last was begun; 0 where it never was. */
  done_time: number;
  /** The claim of whoever is at it, and from when on another one may take its place. */
  lease_holder: string | null;
  lease_time: number;
}

/** A registry process that shares the database with others. */
export interface RegistryRow {
  id: string;
  /** When it last said that it lives, by the database's clock. */
  heartbeat_time: number;
}

/** What a node that is connected to one of several registries last said. */
export interface NodeRow {
  id: string;
  registry: string;
  /** Another one for every state that its registry has written. */
  revision: number;
  state_json: string;
}
