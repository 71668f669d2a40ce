import type { Hold } from "../../../lib/gen/amaas/registry/v1/Hold.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { HoldRow } from "../store/schema.ts";

/** A hold as the contract has it. */
export function holdMessage(row: HoldRow): Hold {
  return { resource: row.resource, holder: row.holder, expireTime: timestampOf(row.expire_time) };
}
