import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import { parseServingSettingsName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { servingSettingsMessage, unsetServingSettingsMessage } from "../messages/serving.ts";
import type { ServingSettingsStore } from "../store/serving-settings.ts";
import { actorOf } from "./actor.ts";
import { checkReason, checkRevision, pageNumberOf } from "./requests.ts";
import { settingsValuesOf } from "./serving-request.ts";

type Calls =
  | "GetServingSettings"
  | "UpdateServingSettings"
  | "ListServingSettingsRevisions"
  | "RollbackServingSettings";

/** The calls about how models are served. */
export function servingHandlers(settings: ServingSettingsStore): Pick<Handlers<RegistryServiceHandlers>, Calls> {
  return {
    GetServingSettings: async ({ name }) => {
      const model = parseServingSettingsName(name);
      const row = await settings.get(model);
      return row === undefined ? unsetServingSettingsMessage(model) : servingSettingsMessage(row);
    },

    UpdateServingSettings: async ({ settings: wanted, reason }, call) => {
      const model = parseServingSettingsName(wanted?.name ?? "", "settings.name");
      checkReason(reason);
      const values = settingsValuesOf(wanted!);
      const change = { model, etag: wanted!.etag, reason };
      return servingSettingsMessage(await settings.update(actorOf(call, "UpdateServingSettings"), change, values));
    },

    ListServingSettingsRevisions: async ({ name, pageSize, pageToken }) => {
      const size = pageSizeOf(pageSize);
      const model = parseServingSettingsName(name);
      const { rows, isMore } = await settings.revisions(model, size, pageNumberOf(pageToken, { name }));
      return {
        revisions: rows.map(servingSettingsMessage),
        nextPageToken: isMore ? pageTokenOf(String(rows.at(-1)!.revision), { name }) : "",
      };
    },

    RollbackServingSettings: async ({ name, revision, etag, reason }, call) => {
      const model = parseServingSettingsName(name);
      checkReason(reason);
      checkRevision(revision);
      const actor = actorOf(call, "RollbackServingSettings");
      return servingSettingsMessage(await settings.rollback(actor, { model, etag, reason }, revision));
    },
  };
}
