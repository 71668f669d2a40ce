import type { ServingSettings } from "../../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import { servingSettingsName } from "../../../lib/resource-names.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { ServingSettingsRow } from "../store/schema.ts";

/** The etag of settings that nobody has set, so that the first one to set them can be sure of that. */
export const unsetEtag = "unset";

/** Settings that nobody has set, as the contract has them. */
export function unsetServingSettingsMessage(model: string): ServingSettings {
  return { name: servingSettingsName(model), etag: unsetEtag };
}

/** Serving settings as the contract has them. */
export function servingSettingsMessage(row: ServingSettingsRow): ServingSettings {
  return {
    ...JSON.parse(row.settings_json),
    name: servingSettingsName(row.model),
    revision: row.revision,
    etag: row.etag,
    updateTime: timestampOf(row.update_time),
    principal: row.principal,
    reason: row.reason,
  };
}
