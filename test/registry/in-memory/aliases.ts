import { aliasName } from "../../../lib/resource-names.ts";
import {
  type AimState,
  type ModelState,
  numbered,
  Refusal,
  type RevisionState,
  refuse,
  type State,
  shown,
} from "./state.ts";

interface AliasRequest extends AimState {
  readonly name: string;
  readonly etag: string;
}

interface MoveOptions {
  readonly reason: string;
  readonly force: boolean;
}

const nowhere: AimState = { targets: [], mirrors: [] };

/** The calls about aliases, as the contract has them. */
export function aliasCalls(state: State) {
  const idOf = (name: string) => name.split("/")[3]!;
  const existing = (model: ModelState, id: string) => model.aliases.get(id) ?? refuse("ALIAS_NOT_FOUND");
  return {
    GetAlias: ({ name }: { name: string }) => {
      const model = state.model(name);
      existing(model, idOf(name));
      return shownAlias(model, idOf(name));
    },

    ListAliases: ({ parent }: { parent: string }) => {
      const model = state.model(parent);
      return [...model.aliases.keys()].sort().map((id) => shownAlias(model, id));
    },

    ResolveAlias: ({ name }: { name: string }) => {
      const model = state.model(name);
      const { targets, mirrors } = existing(model, idOf(name));
      const versions = (aims: readonly { version: number }[]) =>
        aims.map(({ version }) => shown.version(model, numbered(model, version)));
      return { alias: shownAlias(model, idOf(name)), targets: versions(targets), mirrors: versions(mirrors) };
    },

    ListAliasRevisions: ({ name }: { name: string }) => {
      const revisions = state.model(name).revisions.get(idOf(name)) ?? refuse("ALIAS_NOT_FOUND");
      return [...revisions].reverse();
    },

    UpdateAlias: (request: MoveOptions & { alias: AliasRequest; allowMissing: boolean; mustNotExist: boolean }) => {
      const { name, etag, targets, mirrors } = request.alias;
      if (request.mustNotExist && etag !== "") refuse("REQUEST_INVALID");
      const [model, id] = [state.livingModel(name), idOf(name)];
      if (!request.allowMissing && !request.mustNotExist) existing(model, id);
      if (request.mustNotExist && model.aliases.has(id)) state.checkEtag(name, "none");
      state.checkEtag(name, etag);
      return move(model, id, { targets, mirrors }, request);
    },

    RollbackAlias: (request: MoveOptions & { name: string; etag: string; revision: number }) => {
      const { name, etag, revision } = request;
      const [model, id] = [state.livingModel(name), idOf(name)];
      state.checkEtag(name, etag);
      const present = model.aliases.get(id)?.revision ?? Infinity;
      const past = (model.revisions.get(id) ?? []).filter(({ deleted }) => !deleted);
      if (past.length === 0) refuse("ALIAS_NOT_FOUND");
      const wanted = past.filter((one) => (revision === 0 ? one.revision < present : one.revision === revision)).at(-1);
      return move(model, id, wanted ?? refuse("REVISION_NOT_FOUND"), request);
    },

    DeleteAlias: ({ name, etag, reason }: { name: string; etag: string; reason: string }) => {
      const [model, id] = [state.livingModel(name), idOf(name)];
      existing(model, id);
      state.checkEtag(name, etag);
      model.aliases.delete(id);
      state.etags.delete(name);
      addRevision(model, id, { ...nowhere, reason, deleted: true, forced: false });
      return {};
    },
  };
}

function move(model: ModelState, id: string, aim: AimState, { reason, force }: MoveOptions) {
  const before = model.aliases.get(id);
  const { targets, mirrors } = aim;
  const isThere = JSON.stringify([before?.targets, before?.mirrors]) === JSON.stringify([targets, mirrors]);
  if (isThere) return shownAlias(model, id);
  const objection = objectionTo(model, id, aim);
  if (objection !== undefined && !force) throw objection;
  const forced = objection !== undefined;
  const revision = addRevision(model, id, { targets, mirrors, reason, deleted: false, forced });
  model.aliases.set(id, { targets, mirrors, revision, reason });
  return shownAlias(model, id);
}

/** What speaks against a move and may be forced; throws what may not. */
function objectionTo(model: ModelState, id: string, { targets, mirrors }: AimState): Refusal | undefined {
  const before = model.aliases.get(id) ?? nowhere;
  for (const { version } of [...targets, ...mirrors]) {
    const { state } = numbered(model, version);
    if (["REJECTED", "DELETED"].includes(state)) refuse("VERSION_STATE");
  }
  const isNew = ({ version }: { version: number }, old: readonly { version: number }[]) =>
    !old.some((other) => other.version === version);
  const newTargets = targets.filter((target) => isNew(target, before.targets));
  const newMirrors = mirrors.filter((mirror) => isNew(mirror, [...before.targets, ...before.mirrors]));
  const added = [...newTargets, ...newMirrors].map(({ version }) => numbered(model, version));
  if (added.some(({ state }) => state !== "READY")) return new Refusal("VERSION_STATE");
  if (model.compatibility === "COMPATIBILITY_MODE_NONE") return undefined;

  const isTransitive = model.compatibility.endsWith("_TRANSITIVE");
  // One that is made again has the clients that it had before.
  const revisions = (model.revisions.get(id) ?? []).filter(({ deleted }) => !deleted);
  const served = model.aliases.get(id)?.targets ?? revisions.at(-1)?.targets ?? [];
  const past = isTransitive ? revisions.flatMap((revision) => revision.targets) : served;
  const others = past.map(({ version }) => numbered(model, version)).filter(({ state }) => state !== "DELETED");
  const breaks = newTargets
    .filter((target) => isNew(target, served))
    .map(({ version }) => numbered(model, version))
    .some(({ signature }) => others.some((other) => isBreaking(signature, other.signature)));
  return breaks ? new Refusal("INCOMPATIBLE") : undefined;
}

/** What has no signature is compared with nothing. */
function isBreaking(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other;
}

function addRevision(model: ModelState, id: string, values: Omit<RevisionState, "revision">): number {
  const revisions = model.revisions.get(id) ?? [];
  const revision = (revisions.at(-1)?.revision ?? 0) + 1;
  model.revisions.set(id, [...revisions, { ...values, revision }]);
  return revision;
}

function shownAlias(model: ModelState, id: string) {
  return { name: aliasName(model.id, id), ...model.aliases.get(id)! };
}
