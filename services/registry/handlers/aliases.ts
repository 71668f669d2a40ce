import type { Clock } from "../../../lib/clock.ts";
import type { Alias } from "../../../lib/gen/amaas/registry/v1/Alias.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { pageKeyOf, pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import { aliasName, parseAliasName, parseModelName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { CatalogueChanges } from "../control/catalogue-changes.ts";
import type { AliasStore } from "../store/aliases.ts";
import type { AliasRow } from "../store/schema.ts";
import { invalid } from "./requests.ts";

/** The calls about aliases. */
export function aliasHandlers(
  aliases: AliasStore,
  changes: CatalogueChanges,
  clock: Clock,
): Pick<Handlers<RegistryServiceHandlers>, "GetAlias" | "ListAliases" | "UpdateAlias" | "DeleteAlias"> {
  return {
    GetAlias: async ({ name }) => {
      const { model, alias } = parseAliasName(name);
      return aliasMessage(await aliases.get(model, alias));
    },

    ListAliases: async ({ parent, pageSize, pageToken }) => {
      const size = pageSizeOf(pageSize);
      const found = await aliases.list(parseModelName(parent, "parent"), size + 1, pageKeyOf(pageToken));
      const page = found.slice(0, size);
      return {
        aliases: page.map(aliasMessage),
        nextPageToken: found.length > size ? pageTokenOf(page[size - 1].id) : "",
      };
    },

    UpdateAlias: async ({ alias, allowMissing }) => {
      const { model, alias: id } = parseAliasName(alias?.name ?? "", "alias.name");
      const version = alias?.version ?? 0;
      if (!(Number.isSafeInteger(version) && version >= 1))
        throw invalid("alias.version", version, "a version number from 1");
      const row = await aliases.move({ model, id, version, etag: alias?.etag ?? "", allowMissing }, clock.now());
      changes.changed(model);
      return aliasMessage(row);
    },

    DeleteAlias: async ({ name, etag }) => {
      const { model, alias } = parseAliasName(name);
      await aliases.remove(model, alias, etag);
      changes.changed(model);
      return {};
    },
  };
}

function aliasMessage(row: AliasRow): Alias {
  return {
    name: aliasName(row.model, row.id),
    version: row.version,
    updateTime: timestampOf(row.update_time),
    etag: row.etag,
  };
}
