/** The steps from an empty database to the present tables, each applied once and in order. A step never changes. */
export const migrations: readonly (readonly string[])[] = [
  [
    `CREATE TABLE models (
      id TEXT PRIMARY KEY, owner TEXT NOT NULL, description TEXT NOT NULL, tags_json TEXT NOT NULL,
      create_time INTEGER NOT NULL, update_time INTEGER NOT NULL, etag TEXT NOT NULL, next_version INTEGER NOT NULL
    ) STRICT`,
    `CREATE TABLE artifacts (
      sha256 TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, create_time INTEGER NOT NULL
    ) STRICT`,
    `CREATE TABLE versions (
      model TEXT NOT NULL REFERENCES models (id), number INTEGER NOT NULL, sha256 TEXT NOT NULL REFERENCES artifacts (sha256),
      signature_json TEXT NOT NULL, metrics_json TEXT NOT NULL, lineage_json TEXT NOT NULL, size_bytes INTEGER NOT NULL,
      parameter_count INTEGER NOT NULL, opset INTEGER NOT NULL, create_time INTEGER NOT NULL, request_id TEXT,
      PRIMARY KEY (model, number)
    ) STRICT`,
    "CREATE UNIQUE INDEX versions_by_request ON versions (model, request_id) WHERE request_id IS NOT NULL",
    `CREATE TABLE aliases (
      model TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, update_time INTEGER NOT NULL, etag TEXT NOT NULL,
      PRIMARY KEY (model, id), FOREIGN KEY (model, version) REFERENCES versions (model, number)
    ) STRICT`,
  ],
];
