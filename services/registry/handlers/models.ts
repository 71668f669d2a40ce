import type { Clock } from "../../../lib/clock.ts";
import type { Model, Model__Output } from "../../../lib/gen/amaas/registry/v1/Model.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { pageKeyOf, pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import { modelName, parseModelId, parseModelName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { CatalogueChanges } from "../control/catalogue-changes.ts";
import type { ModelFields, ModelStore } from "../store/models.ts";
import type { ModelRow } from "../store/schema.ts";
import { checkPairs, checkText, invalid } from "./requests.ts";

/** The calls about models. */
export function modelHandlers(
  models: ModelStore,
  changes: CatalogueChanges,
  clock: Clock,
): Pick<Handlers<RegistryServiceHandlers>, "CreateModel" | "GetModel" | "ListModels" | "UpdateModel"> {
  return {
    CreateModel: async ({ modelId, model }) => {
      const id = parseModelId(modelId);
      const row = await models.create(id, fieldsOf(model), clock.now());
      changes.changed(id);
      return modelMessage(row);
    },

    GetModel: async ({ name }) => modelMessage(await models.get(parseModelName(name))),

    ListModels: async ({ pageSize, pageToken }) => {
      const size = pageSizeOf(pageSize);
      const found = await models.list(size + 1, pageKeyOf(pageToken));
      const page = found.slice(0, size);
      return {
        models: page.map(modelMessage),
        nextPageToken: found.length > size ? pageTokenOf(page[size - 1].id) : "",
      };
    },

    UpdateModel: async ({ model, updateMask }) => {
      const id = parseModelName(model?.name ?? "", "model.name");
      const changes = masked(fieldsOf(model), updateMask?.paths ?? []);
      return modelMessage(await models.update(id, changes, model?.etag ?? "", clock.now()));
    },
  };
}

const fieldNames = ["owner", "description", "tags"] as const satisfies readonly (keyof ModelFields)[];

function fieldsOf(model: Model__Output | null): ModelFields {
  const { owner = "", description = "", tags = {} } = model ?? {};
  checkText("model.owner", owner, 256);
  checkText("model.description", description, 16_384);
  checkPairs("model.tags", tags, { countMax: 64, keyCharactersMax: 128, valueCharactersMax: 1024 });
  return { owner, description, tags };
}

function masked(fields: ModelFields, paths: readonly string[]): Partial<ModelFields> {
  if (paths.length === 0) return fields;
  const wanted = paths.map((path) => {
    const name = fieldNames.find((field) => field === path);
    if (name === undefined)
      throw invalid("update_mask.paths", JSON.stringify(path), `some of ${fieldNames.join(", ")}`);
    return [name, fields[name]];
  });
  return Object.fromEntries(wanted);
}

function modelMessage(row: ModelRow): Model {
  return {
    name: modelName(row.id),
    owner: row.owner,
    description: row.description,
    tags: JSON.parse(row.tags_json),
    createTime: timestampOf(row.create_time),
    updateTime: timestampOf(row.update_time),
    etag: row.etag,
  };
}
