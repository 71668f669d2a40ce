import { servingSettingsName } from "../../../lib/resource-names.ts";
import { type ModelState, refuse, type SettingsState, type State } from "./state.ts";

interface SettingsRequest {
  readonly name: string;
  readonly etag: string;
  readonly replicas: number;
  readonly versionPolicy: { readonly specific: { readonly versions: readonly number[] } } | null;
}

/** The calls about serving settings, as the contract has them. */
export function settingsCalls(state: State) {
  return {
    GetServingSettings: ({ name }: { name: string }) => shownSettings(state.model(name)),

    ListServingSettingsRevisions: ({ name }: { name: string }) => {
      const model = state.model(name);
      return model.settings.map((settings) => ({ name: servingSettingsName(model.id), ...settings })).reverse();
    },

    UpdateServingSettings: ({ settings, reason }: { settings: SettingsRequest; reason: string }) => {
      const model = state.livingModel(settings.name);
      state.checkEtag(settings.name, settings.etag, "unset");
      const versions = settings.versionPolicy?.specific.versions ?? [];
      const isThere = (number: number) =>
        model.versions.some((one) => one.number === number && one.state !== "DELETED");
      if (!versions.every(isThere)) refuse("VERSION_NOT_FOUND");
      return set(model, { replicas: settings.replicas, versions, reason });
    },

    RollbackServingSettings: (request: { name: string; etag: string; revision: number; reason: string }) => {
      const { name, etag, revision, reason } = request;
      const model = state.livingModel(name);
      state.checkEtag(name, etag, "unset");
      const wanted = revision === 0 ? model.settings.at(-2) : model.settings[revision - 1];
      const { replicas, versions } = wanted ?? refuse("REVISION_NOT_FOUND");
      return set(model, { replicas, versions, reason });
    },
  };
}

/** The same settings again are no new revision. */
function set(model: ModelState, values: Omit<SettingsState, "revision">) {
  const present = model.settings.at(-1);
  const isSame =
    present &&
    JSON.stringify([present.replicas, present.versions]) === JSON.stringify([values.replicas, values.versions]);
  if (!isSame) model.settings.push({ ...values, revision: model.settings.length + 1 });
  return shownSettings(model);
}

function shownSettings({ id, settings }: ModelState) {
  const unset = { revision: 0, replicas: 0, versions: [], reason: "" };
  return { name: servingSettingsName(id), ...(settings.at(-1) ?? unset) };
}
