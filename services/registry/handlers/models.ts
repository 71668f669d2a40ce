import type { Model__Output } from "../../../lib/gen/amaas/registry/v1/Model.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { pageKeyOf, pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import { idPattern, parseModelId, parseModelName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { modelMessage } from "../messages/model.ts";
import type { ModelFields, ModelFilters, ModelStore } from "../store/models.ts";
import { actorOf } from "./actor.ts";
import { atMost, checkPairs, checkText, invalid, wordOf } from "./requests.ts";

/** The calls about models. */
export function modelHandlers(
  models: ModelStore,
): Pick<
  Handlers<RegistryServiceHandlers>,
  "CreateModel" | "GetModel" | "ListModels" | "UpdateModel" | "DeleteModel" | "UndeleteModel"
> {
  return {
    CreateModel: async ({ modelId, model }, call) => {
      const id = parseModelId(modelId);
      return modelMessage(await models.create(actorOf(call, "CreateModel"), id, fieldsOf(model)));
    },

    GetModel: async ({ name }) => modelMessage(await models.get(parseModelName(name))),

    ListModels: async ({ pageSize, pageToken, ...filters }) => {
      checkFilters(filters);
      const size = pageSizeOf(pageSize);
      const { rows, isMore } = await models.list(filters, size, pageKeyOf(pageToken, idPattern, filters));
      return {
        models: rows.map(modelMessage),
        nextPageToken: isMore ? pageTokenOf(rows.at(-1)!.id, filters) : "",
      };
    },

    UpdateModel: async ({ model, updateMask }, call) => {
      const id = parseModelName(model?.name ?? "", "model.name");
      const fields = masked(fieldsOf(model), updateMask?.paths ?? []);
      return modelMessage(await models.update(actorOf(call, "UpdateModel"), id, fields, model?.etag ?? ""));
    },

    DeleteModel: async ({ name, etag, force }, call) =>
      modelMessage(await models.delete(actorOf(call, "DeleteModel"), parseModelName(name), etag, force)),

    UndeleteModel: async ({ name }, call) =>
      modelMessage(await models.undelete(actorOf(call, "UndeleteModel"), parseModelName(name))),
  };
}

const fieldNames = ["owner", "description", "tags", "compatibility"] as const satisfies readonly (keyof ModelFields)[];

function fieldsOf(model: Model__Output | null): ModelFields {
  const { owner = "", description = "", tags = {}, compatibility = "COMPATIBILITY_MODE_UNSPECIFIED" } = model ?? {};
  checkText("model.owner", owner, 256);
  checkText("model.description", description, 16_384);
  checkPairs("model.tags", tags, { ...tagBounds, countMax: 64 });
  const mode = wordOf("model.compatibility", compatibility, "COMPATIBILITY_MODE_");
  return { owner, description, tags, compatibility: mode === "UNSPECIFIED" ? "BACKWARD" : mode };
}

/** More than there are, so that some may come twice. */
const pathsMax = 64;

const tagBounds = { keyCharactersMax: 128, valueCharactersMax: 1024 };

function masked(fields: ModelFields, paths: readonly string[]): Partial<ModelFields> {
  if (paths.length === 0) return fields;
  const wanted = atMost("update_mask.paths", paths, pathsMax).map((path) => {
    const name = fieldNames.find((field) => field === path);
    if (name === undefined)
      throw invalid("update_mask.paths", JSON.stringify(path.slice(0, 100)), `some of ${fieldNames.join(", ")}`);
    return [name, fields[name]];
  });
  return Object.fromEntries(wanted);
}

function checkFilters({ idPrefix, owner, tags }: ModelFilters): void {
  checkText("id_prefix", idPrefix, 63);
  checkText("owner", owner, 256);
  checkPairs("tags", tags, { ...tagBounds, countMax: 8 });
}
