import type { Reason } from "../../../lib/errors.ts";
import { modelName, versionName } from "../../../lib/resource-names.ts";

/** What the registry must know of a model, written in the simplest way. */
export interface ModelState {
  readonly id: string;
  owner: string;
  tags: Readonly<Record<string, string>>;
  compatibility: string;
  isDeleted: boolean;
  /** The first one has number 1. */
  readonly versions: VersionState[];
  readonly aliases: Map<string, AliasState>;
  /** By alias, oldest first. */
  readonly revisions: Map<string, RevisionState[]>;
  /** Oldest first; the last one holds. */
  readonly settings: SettingsState[];
}

/** How a model is served. */
export interface SettingsState {
  readonly revision: number;
  readonly replicas: number;
  /** Those that it names to be held. */
  readonly versions: readonly number[];
  readonly reason: string;
}

export interface VersionState {
  readonly number: number;
  readonly artifact: string;
  readonly requestId: string;
  /** Versions of equal signature are compatible; undefined where the registry knows none. */
  readonly signature: string | undefined;
  state: string;
  tags: Readonly<Record<string, string>>;
}

/** Where an alias leads. */
export interface AimState {
  readonly targets: readonly { readonly version: number; readonly weight: number }[];
  readonly mirrors: readonly { readonly version: number; readonly share: number }[];
}

export interface AliasState extends AimState {
  readonly revision: number;
  readonly reason: string;
}

export interface RevisionState extends AliasState {
  readonly deleted: boolean;
  readonly forced: boolean;
}

/** What a call is told that is refused. */
export class Refusal extends Error {
  readonly reason: Reason;
  /** The etag that it should have had. */
  readonly etag: string | undefined;

  constructor(reason: Reason, etag?: string) {
    super(reason);
    this.reason = reason;
    this.etag = etag;
  }
}

/** All models; the etags that the registry has given them and what is below them, by name; and all holds. */
export class State {
  readonly models = new Map<string, ModelState>();
  readonly etags = new Map<string, string>();
  readonly holds = new Map<string, { readonly resource: string; readonly holder: string }>();

  model(name: string): ModelState {
    return this.models.get(name.split("/")[1]!) ?? refuse("MODEL_NOT_FOUND");
  }

  /** One that may be changed. */
  livingModel(name: string): ModelState {
    const model = this.model(name);
    return model.isDeleted ? refuse("MODEL_DELETED") : model;
  }

  /** By number or alias. */
  version(name: string): VersionState {
    const model = this.model(name);
    const choice = name.split("/")[3]!;
    if (/^\d+$/.test(choice)) return numbered(model, Number(choice));
    const { targets } = model.aliases.get(choice) ?? refuse("ALIAS_NOT_FOUND");
    return numbered(model, [...targets].sort((a, b) => b.weight - a.weight)[0]!.version);
  }

  /** What is not there has the etag `absent`. */
  checkEtag(name: string, seen: string, absent = ""): void {
    const current = this.etags.get(name) ?? absent;
    if (seen !== "" && seen !== current) throw new Refusal("ETAG_MISMATCH", current);
  }
}

export function refuse(reason: Reason): never {
  throw new Refusal(reason);
}

export function numbered({ versions }: ModelState, number: number): VersionState {
  return versions[number - 1] ?? refuse("VERSION_NOT_FOUND");
}

/** What the registry answers, without etags and times. */
export const shown = {
  model: ({ id, owner, tags, compatibility, isDeleted }: ModelState) => ({
    name: modelName(id),
    owner,
    tags,
    compatibility,
    isDeleted,
  }),
  version: (model: ModelState, { number, state, artifact, tags }: VersionState) => ({
    name: versionName(model.id, number),
    state,
    artifact,
    tags,
  }),
};
