import type { Change } from "../../../lib/gen/amaas/registry/v1/Change.ts";
import type { Resource } from "../../../lib/gen/amaas/registry/v1/Resource.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { ChangeRow, ResourceKind } from "../store/schema.ts";

/** A change as the contract has it. */
export function changeMessage(row: ChangeRow): Change {
  return {
    sequence: row.sequence,
    time: timestampOf(row.time),
    principal: row.principal,
    call: row.call,
    requestId: row.request_id,
    resource: row.resource,
    kind: `RESOURCE_KIND_${row.kind}`,
    before: resourceMessage(row.kind, row.before_json),
    after: resourceMessage(row.kind, row.after_json),
  };
}

const fieldOf = {
  MODEL: "model",
  VERSION: "version",
  ALIAS: "alias",
  SERVING_SETTINGS: "servingSettings",
  ARTIFACT: "artifact",
  HOLD: "hold",
} as const satisfies Record<ResourceKind, keyof Resource>;

function resourceMessage(kind: ResourceKind, json: string | null): Resource | null {
  return json === null ? null : { [fieldOf[kind]]: JSON.parse(json) };
}
