import type { Alias__Output } from "../../../lib/gen/amaas/registry/v1/Alias.ts";
import type { AliasMirror__Output } from "../../../lib/gen/amaas/registry/v1/AliasMirror.ts";
import type { AliasTarget__Output } from "../../../lib/gen/amaas/registry/v1/AliasTarget.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { Version } from "../../../lib/gen/amaas/registry/v1/Version.ts";
import { pageKeyOf, pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import { idPattern, parseAliasName, parseModelName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { aliasMessage, aliasRevisionMessage } from "../messages/alias.ts";
import { versionMessage } from "../messages/version.ts";
import type { Replies } from "../replies.ts";
import type { Aim } from "../store/alias-gate.ts";
import type { AliasStore } from "../store/aliases.ts";
import type { FullVersion } from "../store/version-rows.ts";
import { actorOf } from "./actor.ts";
import { checkReason, checkRevision, checkVersionNumbers, invalid, pageNumberOf } from "./requests.ts";

type Calls =
  | "GetAlias"
  | "ListAliases"
  | "UpdateAlias"
  | "DeleteAlias"
  | "ResolveAlias"
  | "ListAliasRevisions"
  | "RollbackAlias";

/** The calls about aliases. */
export function aliasHandlers(aliases: AliasStore, replies: Replies): Pick<Handlers<RegistryServiceHandlers>, Calls> {
  return {
    GetAlias: async ({ name }) => {
      const { model, alias } = parseAliasName(name);
      return aliasMessage(await aliases.get(model, alias));
    },

    ListAliases: async ({ parent, pageSize, pageToken }) => {
      const size = pageSizeOf(pageSize);
      const model = parseModelName(parent, "parent");
      const { rows, isMore } = await aliases.list(model, size, pageKeyOf(pageToken, idPattern, { parent }));
      return {
        aliases: rows.map(aliasMessage),
        nextPageToken: isMore ? pageTokenOf(rows.at(-1)!.id, { parent }) : "",
      };
    },

    UpdateAlias: async ({ alias, reason, ...options }, call) => {
      const { model, alias: id } = parseAliasName(alias?.name ?? "", "alias.name");
      checkFree(id);
      checkReason(reason);
      if (options.mustNotExist && alias!.etag) throw invalid("alias.etag", alias!.etag, "none beside must_not_exist");
      const change = { model, id, etag: alias!.etag, reason, aim: aimOf(alias!), ...options };
      return aliasMessage(await aliases.move(actorOf(call, "UpdateAlias"), change));
    },

    DeleteAlias: async ({ name, ...change }, call) => {
      const { model, alias: id } = parseAliasName(name);
      checkReason(change.reason);
      await aliases.remove(actorOf(call, "DeleteAlias"), { model, id, ...change });
      return {};
    },

    ResolveAlias: ({ name }) => {
      const { model, alias: id } = parseAliasName(name);
      return replies.of("amaas.registry.v1.ResolveAliasResponse", name, async () => {
        const { alias, targets, mirrors } = await aliases.resolve(model, id);
        return { alias: aliasMessage(alias), targets: targets.map(messageOf), mirrors: mirrors.map(messageOf) };
      });
    },

    ListAliasRevisions: async ({ name, pageSize, pageToken }) => {
      const size = pageSizeOf(pageSize);
      const { model, alias: id } = parseAliasName(name);
      const { rows, isMore } = await aliases.revisions(model, id, size, pageNumberOf(pageToken, { name }));
      return {
        revisions: rows.map(aliasRevisionMessage),
        nextPageToken: isMore ? pageTokenOf(String(rows.at(-1)!.revision), { name }) : "",
      };
    },

    RollbackAlias: async ({ name, ...change }, call) => {
      const { model, alias: id } = parseAliasName(name);
      checkReason(change.reason);
      checkRevision(change.revision);
      return aliasMessage(await aliases.rollback(actorOf(call, "RollbackAlias"), { model, id, ...change }));
    },
  };
}

/** Words that could be mistaken for a choice of versions. */
const reserved = ["latest", "newest", "all", "any", "none"];

function checkFree(alias: string): void {
  if (!reserved.includes(alias)) return;
  throw invalid("alias.name", `the alias ${alias}`, `an alias that is not reserved, as are ${reserved.join(", ")}`);
}

const targetsMax = 16;
const mirrorsMax = 8;
const weightMax = 1_000_000;

function aimOf({ targets, mirrors }: Alias__Output): Aim {
  if (targets.length < 1 || targets.length > targetsMax) {
    throw invalid("alias.targets", `${targets.length} versions`, `1 to ${targetsMax} versions`);
  }
  if (mirrors.length > mirrorsMax) {
    throw invalid("alias.mirrors", `${mirrors.length} versions`, `at most ${mirrorsMax} versions`);
  }
  checkVersionNumbers(
    "alias.targets",
    targets.map(({ version }) => version),
    ".version",
  );
  checkVersionNumbers(
    "alias.mirrors",
    mirrors.map(({ version }) => version),
    ".version",
  );
  return { targets: targets.map(targetOf), mirrors: mirrors.map(mirrorOf) };
}

function targetOf({ version, weight }: AliasTarget__Output, index: number) {
  const field = `alias.targets[${index}].weight`;
  if (!(weight >= 0 && weight <= weightMax)) throw invalid(field, weight, `1 to ${weightMax}, or 0 for 1`);
  return { version, weight: weight || 1 };
}

function mirrorOf({ version, share }: AliasMirror__Output, index: number) {
  const field = `alias.mirrors[${index}].share`;
  if (!(share >= 0 && share <= 1)) throw invalid(field, share, "above 0 and up to 1, or 0 for 1");
  return { version, share: share || 1 };
}

function messageOf({ version, variants }: FullVersion): Version {
  return versionMessage(version, variants);
}
