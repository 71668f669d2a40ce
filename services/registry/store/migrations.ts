/** What the databases call the same thing. */
export interface Words {
  /** Text that is compared by its code units. */
  readonly text: string;
  /** A whole number of 64 bits. */
  readonly integer: string;
  /** What ends a table's definition. */
  readonly end: string;
}

/** The steps from an empty database to the present tables, each applied once and in order. A step never changes. */
export const migrations: readonly ((words: Words) => readonly string[])[] = [
  ({ text, integer, end }) => [
    `CREATE TABLE models (
      id ${text} PRIMARY KEY, owner ${text} NOT NULL, description ${text} NOT NULL, tags_json ${text} NOT NULL,
      compatibility ${text} NOT NULL, create_time ${integer} NOT NULL, update_time ${integer} NOT NULL, delete_time ${integer},
      etag ${text} NOT NULL, next_version ${integer} NOT NULL
    )${end}`,
    "CREATE INDEX models_by_owner ON models (owner, id)",
    `CREATE TABLE model_tags (
      model ${text} NOT NULL REFERENCES models (id), key ${text} NOT NULL, value ${text} NOT NULL, PRIMARY KEY (model, key)
    )${end}`,
    "CREATE INDEX model_tags_by_key ON model_tags (key, model)",
    "CREATE INDEX model_tags_by_value ON model_tags (key, value, model)",
    `CREATE TABLE versions (
      model ${text} NOT NULL REFERENCES models (id), number ${integer} NOT NULL, state ${text} NOT NULL,
      state_reason ${text} NOT NULL, signature_json ${text}, operators_json ${text} NOT NULL, opsets_json ${text} NOT NULL,
      parameter_count ${integer} NOT NULL, size_bytes ${integer} NOT NULL, metrics_json ${text} NOT NULL, tags_json ${text} NOT NULL,
      metadata_json ${text} NOT NULL, model_card ${text} NOT NULL, lineage_json ${text}, create_time ${integer} NOT NULL,
      update_time ${integer} NOT NULL, etag ${text} NOT NULL, request_id ${text}, request_digest ${text} NOT NULL,
      PRIMARY KEY (model, number)
    )${end}`,
    "CREATE UNIQUE INDEX versions_by_request ON versions (model, request_id) WHERE request_id IS NOT NULL",
    `CREATE TABLE version_tags (
      model ${text} NOT NULL, number ${integer} NOT NULL, key ${text} NOT NULL, value ${text} NOT NULL,
      PRIMARY KEY (model, number, key), FOREIGN KEY (model, number) REFERENCES versions (model, number)
    )${end}`,
    "CREATE INDEX version_tags_by_key ON version_tags (model, key, value, number)",
    `CREATE TABLE version_samples (
      model ${text} NOT NULL, number ${integer} NOT NULL, sample_json ${text} NOT NULL,
      PRIMARY KEY (model, number), FOREIGN KEY (model, number) REFERENCES versions (model, number)
    )${end}`,
    `CREATE TABLE variants (
      model ${text} NOT NULL, number ${integer} NOT NULL, id ${text} NOT NULL, position ${integer} NOT NULL,
      precision ${text} NOT NULL, execution_providers_json ${text} NOT NULL, sha256 ${text} NOT NULL,
      external_files_json ${text} NOT NULL, quality_json ${text} NOT NULL, digest ${text} NOT NULL, size_bytes ${integer} NOT NULL,
      memory_bytes ${integer} NOT NULL, state ${text} NOT NULL, state_reason ${text} NOT NULL, create_time ${integer} NOT NULL,
      lease_holder ${text}, lease_time ${integer} NOT NULL, attempts ${integer} NOT NULL,
      PRIMARY KEY (model, number, id), FOREIGN KEY (model, number) REFERENCES versions (model, number)
    )${end}`,
    "CREATE INDEX variants_to_validate ON variants (lease_time) WHERE state = 'VALIDATING'",
    "CREATE INDEX variants_to_upload ON variants (create_time) WHERE state = 'UPLOADING'",
    `CREATE TABLE validations (
      key ${text} PRIMARY KEY, outcome_json ${text} NOT NULL, create_time ${integer} NOT NULL
    )${end}`,
    "CREATE INDEX validations_by_time ON validations (create_time)",
    `CREATE TABLE aliases (
      model ${text} NOT NULL REFERENCES models (id), id ${text} NOT NULL, targets_json ${text} NOT NULL,
      mirrors_json ${text} NOT NULL, revision ${integer} NOT NULL, etag ${text} NOT NULL, update_time ${integer} NOT NULL,
      principal ${text} NOT NULL, reason ${text} NOT NULL, PRIMARY KEY (model, id)
    )${end}`,
    `CREATE TABLE alias_versions (
      model ${text} NOT NULL, alias ${text} NOT NULL, version ${integer} NOT NULL, PRIMARY KEY (model, alias, version),
      FOREIGN KEY (model, alias) REFERENCES aliases (model, id), FOREIGN KEY (model, version) REFERENCES versions (model, number)
    )${end}`,
    "CREATE INDEX alias_versions_by_version ON alias_versions (model, version)",
    `CREATE TABLE alias_past_targets (
      model ${text} NOT NULL, alias ${text} NOT NULL, version ${integer} NOT NULL, PRIMARY KEY (model, alias, version),
      FOREIGN KEY (model, version) REFERENCES versions (model, number)
    )${end}`,
    `CREATE TABLE alias_revisions (
      model ${text} NOT NULL REFERENCES models (id), alias ${text} NOT NULL, revision ${integer} NOT NULL,
      targets_json ${text} NOT NULL, mirrors_json ${text} NOT NULL, deleted ${integer} NOT NULL, forced ${integer} NOT NULL,
      time ${integer} NOT NULL, principal ${text} NOT NULL, reason ${text} NOT NULL, PRIMARY KEY (model, alias, revision)
    )${end}`,
    `CREATE TABLE alias_routes (
      model ${text} NOT NULL REFERENCES models (id), alias ${text} NOT NULL, revision ${integer} NOT NULL,
      PRIMARY KEY (model, alias)
    )${end}`,
    `CREATE TABLE serving_settings (
      model ${text} NOT NULL REFERENCES models (id), revision ${integer} NOT NULL, settings_json ${text} NOT NULL,
      etag ${text} NOT NULL, update_time ${integer} NOT NULL, principal ${text} NOT NULL, reason ${text} NOT NULL,
      PRIMARY KEY (model, revision)
    )${end}`,
    `CREATE TABLE artifacts (
      sha256 ${text} PRIMARY KEY, size_bytes ${integer} NOT NULL, state ${text} NOT NULL, location ${text} NOT NULL,
      create_time ${integer} NOT NULL, upload_time ${integer} NOT NULL, scrub_time ${integer}
    )${end}`,
    "CREATE INDEX artifacts_by_state ON artifacts (state, sha256)",
    `CREATE TABLE artifact_uses (
      sha256 ${text} NOT NULL, model ${text} NOT NULL, number ${integer} NOT NULL, role ${text} NOT NULL,
      PRIMARY KEY (sha256, model, number, role), FOREIGN KEY (model, number) REFERENCES versions (model, number)
    )${end}`,
    "CREATE INDEX artifact_uses_by_version ON artifact_uses (model, number)",
    `CREATE TABLE holds (
      resource ${text} NOT NULL, holder ${text} NOT NULL, create_time ${integer} NOT NULL, expire_time ${integer} NOT NULL,
      PRIMARY KEY (resource, holder)
    )${end}`,
    "CREATE INDEX holds_by_expiry ON holds (expire_time)",
    `CREATE TABLE lineage (
      parent ${text} NOT NULL, child ${text} NOT NULL, relation ${text} NOT NULL, PRIMARY KEY (parent, child)
    )${end}`,
    "CREATE INDEX lineage_by_child ON lineage (child, parent)",
    `CREATE TABLE changes (
      sequence ${integer} PRIMARY KEY, time ${integer} NOT NULL, principal ${text} NOT NULL, call ${text} NOT NULL,
      request_id ${text} NOT NULL, kind ${text} NOT NULL, resource ${text} NOT NULL, model ${text},
      before_json ${text}, after_json ${text}, json_bytes ${integer} NOT NULL
    )${end}`,
    "CREATE INDEX changes_by_time ON changes (time, sequence)",
    "CREATE INDEX changes_by_model ON changes (model, sequence)",
    "CREATE INDEX changes_by_resource ON changes (resource, sequence)",
    "CREATE INDEX changes_by_principal ON changes (principal, sequence)",
    `CREATE TABLE counters (name ${text} PRIMARY KEY, value ${integer} NOT NULL, time ${integer} NOT NULL DEFAULT 0)${end}`,
    "INSERT INTO counters (name, value) VALUES ('changes', 0)",
    `CREATE TABLE turns (
      name ${text} PRIMARY KEY, done_time ${integer} NOT NULL, lease_holder ${text}, lease_time ${integer} NOT NULL
    )${end}`,
    `CREATE TABLE registries (id ${text} PRIMARY KEY, heartbeat_time ${integer} NOT NULL)${end}`,
    `CREATE TABLE nodes (
      id ${text} PRIMARY KEY, registry ${text} NOT NULL, revision ${integer} NOT NULL, state_json ${text} NOT NULL
    )${end}`,
    "CREATE INDEX nodes_by_registry ON nodes (registry)",
  ],
];
