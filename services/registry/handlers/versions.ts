import { ServiceError } from "../../../lib/errors.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { Version } from "../../../lib/gen/amaas/registry/v1/Version.ts";
import { pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import { parseModelName, parseVersionChoice, parseVersionName, versionName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { versionMessage } from "../messages/version.ts";
import type { Replies } from "../replies.ts";
import type { Registration } from "../store/registration.ts";
import { versionStates } from "../store/schema.ts";
import type { FullVersion } from "../store/version-rows.ts";
import type { VersionStore } from "../store/versions.ts";
import type { Settling } from "../validation/settling.ts";
import { actorOf } from "./actor.ts";
import { checkPairs, checkReason, checkText, filterWordsOf, invalid, pageNumberOf } from "./requests.ts";
import { sampleJsonIn } from "./sample-request.ts";
import { checkTags, newVariantOf, newVersionOf } from "./version-request.ts";

/** What the calls about versions need. */
export interface VersionHandlerParts {
  readonly versions: VersionStore;
  readonly registration: Registration;
  readonly settling: Settling;
  readonly replies: Replies;
}

type Calls =
  | "CreateVersion"
  | "GetVersion"
  | "ListVersions"
  | "UpdateVersion"
  | "DeprecateVersion"
  | "DeleteVersion"
  | "AddVariant";

/** The calls about versions. */
export function versionHandlers({
  versions,
  registration,
  settling,
  replies,
}: VersionHandlerParts): Pick<Handlers<RegistryServiceHandlers>, Calls> {
  return {
    CreateVersion: async ({ parent, version, sample, noWait, ...options }, call) => {
      const model = parseModelName(parent, "parent");
      checkText("request_id", options.requestId, 128);
      const asked = newVersionOf(model, version, sampleJsonIn(sample));
      const made = await registration.create(actorOf(call, "CreateVersion"), asked, options);
      return replyTo(noWait ? made : await settling.settled(made, undefined, call));
    },

    GetVersion: ({ name }) => {
      const { model, version } = parseVersionChoice(name);
      return replies.of("amaas.registry.v1.Version", name, async () => messageOf(await versions.get(model, version)));
    },

    ListVersions: async ({ parent, pageSize, pageToken, states: asked, tags }) => {
      const model = parseModelName(parent, "parent");
      checkPairs("tags", tags, { countMax: 8, keyCharactersMax: 128, valueCharactersMax: 1024 });
      const states = filterWordsOf("states", asked, "VERSION_STATE_", versionStates);
      const size = pageSizeOf(pageSize);
      const before = pageNumberOf(pageToken, { parent, states, tags });
      const { rows, isMore } = await versions.list(model, { states, tags }, size, before);
      return {
        versions: rows.map(messageOf),
        nextPageToken: isMore ? pageTokenOf(String(rows.at(-1)!.version.number), { parent, states, tags }) : "",
      };
    },

    UpdateVersion: async ({ name, tags, etag }, call) => {
      const { model, version } = parseVersionName(name);
      checkTags("tags", tags);
      return messageOf(await versions.updateTags(actorOf(call, "UpdateVersion"), model, version, tags, etag));
    },

    DeprecateVersion: async (request, call) =>
      messageOf(await versions.deprecate(actorOf(call, "DeprecateVersion"), stateChangeOf(request))),

    DeleteVersion: async (request, call) =>
      messageOf(await versions.delete(actorOf(call, "DeleteVersion"), stateChangeOf(request))),

    AddVariant: async ({ name, variant, allowMissingArtifacts, noWait }, call) => {
      const { model, version } = parseVersionName(name);
      if (variant === null) throw invalid("variant", "missing", "a variant");
      const asked = newVariantOf("variant", variant);
      const actor = actorOf(call, "AddVariant");
      const added = await registration.addVariant(actor, model, version, asked, allowMissingArtifacts);
      return replyTo(noWait ? added : await settling.settled(added, asked.id, call), asked.id);
    },
  };
}

interface StateRequest {
  readonly name: string;
  readonly reason: string;
  readonly etag: string;
}

function stateChangeOf({ name, reason, etag }: StateRequest) {
  const { model, version: number } = parseVersionName(name);
  checkReason(reason);
  return { model, number, reason, etag };
}

/** Throws ARTIFACT_INVALID where the version, or the variant that the call is about, is rejected. */
function replyTo(full: FullVersion, variant?: string): Version {
  const { model, number } = full.version;
  const { state, state_reason: reason } = full.variants.find(({ id }) => id === variant) ?? full.version;
  if (state !== "REJECTED") return messageOf(full);
  const version = versionName(model, number);
  const what = variant === undefined ? version : `variant ${variant} of ${version}`;
  throw new ServiceError("ARTIFACT_INVALID", `${what} is rejected: ${reason}`, { metadata: { version } });
}

function messageOf({ version, variants }: FullVersion): Version {
  return versionMessage(version, variants);
}
