import type { Alias__Output } from "../../../lib/gen/amaas/registry/v1/Alias.ts";
import type { AliasRevision__Output } from "../../../lib/gen/amaas/registry/v1/AliasRevision.ts";
import type { Hold__Output } from "../../../lib/gen/amaas/registry/v1/Hold.ts";
import type { Model__Output } from "../../../lib/gen/amaas/registry/v1/Model.ts";
import type { RegistryServiceDefinition } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { ResolveAliasResponse__Output } from "../../../lib/gen/amaas/registry/v1/ResolveAliasResponse.ts";
import type { ServingSettings__Output } from "../../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import type { Version__Output } from "../../../lib/gen/amaas/registry/v1/Version.ts";
import type { RpcClient } from "../../../lib/rpc/client.ts";

type Registry = RpcClient<RegistryServiceDefinition>;

const model = ({ name, owner, tags, compatibility, deleteTime }: Model__Output) => {
  return { name, owner, tags, compatibility, isDeleted: deleteTime !== null };
};
const version = ({ name, state, variants, tags }: Version__Output) => {
  return { name, state: state.replace("VERSION_STATE_", ""), artifact: variants[0]!.artifact, tags };
};
const alias = ({ name, targets, mirrors, revision, reason }: Alias__Output) => {
  return { name, targets, mirrors, revision, reason };
};
const revision = ({ time, principal, ...rest }: AliasRevision__Output) => rest;
const settings = ({ name, revision, replicas, versionPolicy, reason }: ServingSettings__Output) => {
  return { name, revision, replicas, versions: versionPolicy?.specific?.versions ?? [], reason };
};
const hold = ({ resource, holder }: Hold__Output) => ({ resource, holder });
const resolved = (reply: ResolveAliasResponse__Output) => {
  return {
    alias: alias(reply.alias!),
    targets: reply.targets.map(version),
    mirrors: reply.mirrors.map(version),
  };
};
const nothing = () => ({});

/** What of a reply does not depend on the moment, by call. */
const shownBy: Readonly<Record<string, (reply: never) => object>> = {
  CreateModel: model,
  GetModel: model,
  UpdateModel: model,
  DeleteModel: model,
  UndeleteModel: model,
  CreateVersion: version,
  GetVersion: version,
  UpdateVersion: version,
  DeprecateVersion: version,
  DeleteVersion: version,
  GetAlias: alias,
  UpdateAlias: alias,
  RollbackAlias: alias,
  DeleteAlias: nothing,
  ResolveAlias: resolved,
  GetServingSettings: settings,
  UpdateServingSettings: settings,
  RollbackServingSettings: settings,
  HoldResource: hold,
  ReleaseHold: nothing,
};

/** Calls that answer page by page, and where the entries are. */
const lists: Readonly<Record<string, readonly [field: string, shown: (entry: never) => object]>> = {
  ListModels: ["models", model],
  ListVersions: ["versions", version],
  ListAliases: ["aliases", alias],
  ListAliasRevisions: ["revisions", revision],
  ListServingSettingsRevisions: ["revisions", settings],
  ListHolds: ["holds", hold],
};

/** Makes a call; answers what of the reply does not depend on the moment, and the etag of the resource that it is, if any. */
export async function answerOf(
  registry: Registry,
  method: string,
  request: object,
): Promise<{ readonly shown: unknown; readonly name?: string; readonly etag?: string }> {
  const list = lists[method];
  if (list !== undefined) {
    const entries = await entriesOf(registry, method, request, list[0]);
    return { shown: entries.map((entry) => list[1](entry as never)) };
  }
  const reply = await registry.unary(method as "GetModel", request as never, { timeoutMs: 10_000 });
  return { shown: shownBy[method]!(reply as never), name: reply.name, etag: reply.etag };
}

/** All entries of a list, read three at a time. */
export async function entriesOf(registry: Registry, method: string, request: object, field: string): Promise<object[]> {
  const entries: object[] = [];
  let pageToken = "";
  do {
    const page = await registry.unary(method as "ListModels", { ...request, pageSize: 3, pageToken });
    entries.push(...(page as unknown as Record<string, object[]>)[field]!);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return entries;
}
