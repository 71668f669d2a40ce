import type { Alias } from "../../../lib/gen/amaas/registry/v1/Alias.ts";
import type { AliasRevision } from "../../../lib/gen/amaas/registry/v1/AliasRevision.ts";
import { aliasName } from "../../../lib/resource-names.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { AliasRevisionRow, AliasRow } from "../store/schema.ts";

/** An alias as the contract has it. */
export function aliasMessage(row: AliasRow): Alias {
  return {
    name: aliasName(row.model, row.id),
    targets: JSON.parse(row.targets_json),
    mirrors: JSON.parse(row.mirrors_json),
    revision: row.revision,
    etag: row.etag,
    updateTime: timestampOf(row.update_time),
    principal: row.principal,
    reason: row.reason,
  };
}

/** What an alias pointed at, as the contract has it. */
export function aliasRevisionMessage(row: AliasRevisionRow): AliasRevision {
  return {
    revision: row.revision,
    targets: JSON.parse(row.targets_json),
    mirrors: JSON.parse(row.mirrors_json),
    deleted: row.deleted === 1,
    forced: row.forced === 1,
    time: timestampOf(row.time),
    principal: row.principal,
    reason: row.reason,
  };
}
