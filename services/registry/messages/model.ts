import type { Model } from "../../../lib/gen/amaas/registry/v1/Model.ts";
import { modelName } from "../../../lib/resource-names.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { ModelRow } from "../store/schema.ts";

/** A model as the contract has it. */
export function modelMessage(row: ModelRow): Model {
  return {
    name: modelName(row.id),
    owner: row.owner,
    description: row.description,
    tags: JSON.parse(row.tags_json),
    compatibility: `COMPATIBILITY_MODE_${row.compatibility}`,
    createTime: timestampOf(row.create_time),
    updateTime: timestampOf(row.update_time),
    deleteTime: timestampOf(row.delete_time ?? undefined),
    etag: row.etag,
  };
}
