import { aliasName, modelName, servingSettingsName, versionName } from "../../../lib/resource-names.ts";
import { aliasCalls } from "./aliases.ts";
import { settingsCalls } from "./settings.ts";
import { type ModelState, numbered, refuse, type State, shown, type VersionState } from "./state.ts";

/** What becomes of a version with some artifact. */
export interface ArtifactFate {
  readonly state: "READY" | "REJECTED" | "UPLOADING";
  readonly signature: string | undefined;
}

interface ModelFields {
  readonly owner: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly compatibility: string;
}

interface VersionRequest {
  readonly name: string;
  readonly etag: string;
}

/** The calls of the registry on a catalogue in memory: they throw a `Refusal`, or answer what the registry shows. */
export function callsInMemory(state: State, fates: ReadonlyMap<string, ArtifactFate>) {
  return {
    ...modelCalls(state),
    ...versionCalls(state, fates),
    ...aliasCalls(state),
    ...settingsCalls(state),
    ...holdCalls(state, fates),
  };
}

function modelCalls(state: State) {
  return {
    CreateModel: ({ modelId, model }: { modelId: string; model: ModelFields }) => {
      if (state.models.has(modelId)) refuse("MODEL_EXISTS");
      return shown.model(addModel(state, modelId, model));
    },

    GetModel: ({ name }: { name: string }) => shown.model(state.model(name)),

    ListModels: ({ showDeleted }: { showDeleted: boolean }) =>
      [...state.models.values()]
        .filter(({ isDeleted }) => showDeleted || !isDeleted)
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .map(shown.model),

    UpdateModel: ({
      model: fields,
      updateMask,
    }: {
      model: ModelFields & VersionRequest;
      updateMask: { paths: string[] };
    }) => {
      const model = state.livingModel(fields.name);
      state.checkEtag(fields.name, fields.etag);
      const { owner, tags, compatibility } = fields;
      const changes = Object.entries({ owner, tags, compatibility }).filter(([field]) =>
        updateMask.paths.includes(field),
      );
      Object.assign(model, Object.fromEntries(changes));
      return shown.model(model);
    },

    DeleteModel: ({ name, etag, force }: { name: string; etag: string; force: boolean }) => {
      const model = state.model(name);
      if (model.isDeleted) return shown.model(model);
      state.checkEtag(name, etag);
      if (model.aliases.size > 0 && !force) refuse("MODEL_IN_USE");
      model.isDeleted = true;
      return shown.model(model);
    },

    UndeleteModel: ({ name }: { name: string }) => {
      const model = state.model(name);
      model.isDeleted = false;
      return shown.model(model);
    },
  };
}

function addModel(state: State, id: string, { owner, tags, compatibility }: ModelFields): ModelState {
  const empty = { isDeleted: false, versions: [], aliases: new Map(), revisions: new Map(), settings: [] };
  const model = { id, owner, tags, compatibility, ...empty };
  state.models.set(id, model);
  return model;
}

function versionCalls(state: State, fates: ReadonlyMap<string, ArtifactFate>) {
  const change = (
    { name, etag }: VersionRequest,
    from: readonly string[],
    to: string,
    check = (_: VersionState) => {},
  ) => {
    const [model, version] = [state.livingModel(name), state.version(name)];
    if (version.state === to) return shown.version(model, version);
    if (!from.includes(version.state)) refuse("VERSION_STATE");
    state.checkEtag(name, etag);
    check(version);
    version.state = to;
    return shown.version(model, version);
  };
  return {
    CreateVersion: (request: {
      parent: string;
      version: { variants: readonly { artifact: string }[]; tags: Readonly<Record<string, string>> };
      requestId: string;
      allowMissingModel: boolean;
      allowMissingArtifacts: boolean;
    }) => {
      const { parent, version, requestId, allowMissingModel, allowMissingArtifacts } = request;
      const id = parent.split("/")[1]!;
      if (state.models.has(id) || !allowMissingModel) state.livingModel(parent);
      const { artifact } = version.variants[0]!;
      const fate = fates.get(artifact)!;
      const versions = state.models.get(id)?.versions ?? [];
      const made = versions.find((other) => requestId !== "" && other.requestId === requestId);
      if (made !== undefined && made.artifact !== artifact) refuse("REQUEST_INVALID");
      if (made === undefined && fate.state === "UPLOADING" && !allowMissingArtifacts) refuse("ARTIFACT_NOT_FOUND");
      const compatibility = "COMPATIBILITY_MODE_BACKWARD";
      const model = state.models.get(id) ?? addModel(state, id, { owner: "", tags: {}, compatibility });
      if (made !== undefined) return created(model, made);
      const { tags } = version;
      model.versions.push({ number: versions.length + 1, artifact, requestId, tags, ...fate });
      return created(model, model.versions.at(-1)!);
    },

    GetVersion: ({ name }: { name: string }) => shown.version(state.model(name), state.version(name)),

    ListVersions: ({ parent, states }: { parent: string; states: readonly string[] }) => {
      const model = state.model(parent);
      return model.versions
        .filter(({ state: seen }) =>
          states.length === 0 ? seen !== "DELETED" : states.includes(`VERSION_STATE_${seen}`),
        )
        .map((version) => shown.version(model, version))
        .reverse();
    },

    UpdateVersion: ({ name, tags, etag }: VersionRequest & { tags: Readonly<Record<string, string>> }) => {
      const [model, version] = [state.livingModel(name), state.version(name)];
      if (version.state === "DELETED") refuse("VERSION_STATE");
      state.checkEtag(name, etag);
      version.tags = tags;
      return shown.version(model, version);
    },

    DeprecateVersion: (request: VersionRequest) => change(request, ["READY"], "DEPRECATED"),

    DeleteVersion: (request: VersionRequest) =>
      change(request, ["UPLOADING", "VALIDATING", "REJECTED", "DEPRECATED"], "DELETED", ({ number }) => {
        const model = state.model(request.name);
        const isAimedAt = [...model.aliases.values()].some(({ targets, mirrors }) =>
          [...targets, ...mirrors].some(({ version }) => version === number),
        );
        if (isAimedAt || [...state.holds.values()].some(({ resource }) => resource === request.name)) {
          refuse("VERSION_IN_USE");
        }
      }),
  };
}

/** A version that is rejected is there, and the call that made it fails. */
function created(model: ModelState, version: VersionState) {
  return version.state === "REJECTED" ? refuse("ARTIFACT_INVALID") : shown.version(model, version);
}

function holdCalls(state: State, fates: ReadonlyMap<string, ArtifactFate>) {
  const { holds } = state;
  return {
    HoldResource: ({ resource, holder }: { resource: string; holder: string }) => {
      if (resource.startsWith("artifacts/")) {
        if (fates.get(resource)?.state === "UPLOADING") refuse("ARTIFACT_NOT_FOUND");
      } else {
        const version = numbered(state.livingModel(resource), Number(resource.split("/")[3]));
        if (version.state === "DELETED") refuse("VERSION_NOT_FOUND");
      }
      holds.set(`${resource} ${holder}`, { resource, holder });
      return { resource, holder };
    },

    ReleaseHold: ({ resource, holder }: { resource: string; holder: string }) => {
      holds.delete(`${resource} ${holder}`);
      return {};
    },

    ListHolds: ({ resource }: { resource: string }) =>
      [...holds.entries()]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, hold]) => hold)
        .filter((hold) => hold.resource === resource),
  };
}

/** The names of everything that there is. */
export function namesIn(state: State): string[] {
  return [...state.models.values()].flatMap(({ id, versions, aliases, settings }) => [
    modelName(id),
    ...versions.map(({ number }) => versionName(id, number)),
    ...[...aliases.keys()].map((alias) => aliasName(id, alias)),
    ...(settings.length > 0 ? [servingSettingsName(id)] : []),
  ]);
}
