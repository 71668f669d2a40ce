import type { DynamicBatching__Output as DynamicBatching } from "../../../lib/gen/amaas/registry/v1/DynamicBatching.ts";
import type { ServingSettings__Output as ServingSettings } from "../../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import type { VersionPolicy__Output as VersionPolicy } from "../../../lib/gen/amaas/registry/v1/VersionPolicy.ts";
import { parseVersionName } from "../../../lib/resource-names.ts";
import { decodeMessage } from "../../../lib/rpc/protos.ts";
import type { Assignment } from "./assignment.ts";

/** What a client has chosen to be done with a model that is assigned. */
export type ModelChoice =
  | { readonly kind: "loaded"; readonly changes: SettingsChanges }
  /** With the reason that the index of the repository gives. */
  | { readonly kind: "unloaded"; readonly reason: string };

/** What a load says otherwise than the registry; what it does not say stays. */
export interface SettingsChanges {
  readonly versionPolicy?: VersionPolicy;
  readonly instanceGroups?: ServingSettings["instanceGroups"];
  /** Rows of a batch; above 1 requests are joined, at 0 they never are. */
  readonly maxBatchSize?: number;
  /** Without its `maxBatchSize`, which the field above says. */
  readonly dynamicBatching?: DynamicBatching;
  readonly warmUps?: ServingSettings["warmUps"];
}

/** The part of an assignment that is to be held: models that are loaded, with what their load has changed. */
export function chosenAssignment(assignment: Assignment, choiceOf: (model: string) => ModelChoice): Assignment {
  const numbers = numbersByModel(assignment);
  const versions = assignment.versions.flatMap((message) => {
    const { model, version } = parseVersionName(message.version, "versions.version");
    const choice = choiceOf(model);
    if (choice.kind === "unloaded") return [];
    if (!isOfPolicy(version, choice.changes.versionPolicy, numbers.get(model) ?? [])) return [];
    return [{ ...message, settings: changedSettings(message.settings, choice.changes) }];
  });
  return { ...assignment, versions };
}

function numbersByModel({ versions }: Assignment): ReadonlyMap<string, readonly number[]> {
  const numbers = new Map<string, number[]>();
  for (const message of versions) {
    const { model, version } = parseVersionName(message.version, "versions.version");
    numbers.set(model, [...(numbers.get(model) ?? []), version]);
  }
  return numbers;
}

function isOfPolicy(version: number, policy: VersionPolicy | undefined, all: readonly number[]): boolean {
  switch (policy?.choice) {
    case "latest":
      return all.filter((other) => other > version).length < policy.latest!;
    case "specific":
      return policy.specific!.versions.includes(version);
    default:
      return true;
  }
}

function changedSettings(settings: ServingSettings | null, changes: SettingsChanges): ServingSettings | null {
  if (Object.keys(changes).length === 0) return settings;
  const { versionPolicy, instanceGroups, warmUps } = changes;
  const all = settings ?? unset<ServingSettings>("ServingSettings");
  return {
    ...all,
    ...(versionPolicy !== undefined && { versionPolicy }),
    ...(instanceGroups !== undefined && { instanceGroups }),
    ...(warmUps !== undefined && { warmUps }),
    dynamicBatching: changedBatching(all.dynamicBatching, changes),
  };
}

/** As in Triton, a batch size above 1 alone is enough for requests to be joined. */
function changedBatching(batching: DynamicBatching | null, changes: SettingsChanges): DynamicBatching | null {
  const { maxBatchSize = batching?.maxBatchSize } = changes;
  if (changes.maxBatchSize === 0) return null;
  const wanted = changes.dynamicBatching ?? batching;
  if (wanted === null && changes.maxBatchSize === undefined) return null;
  return { ...(wanted ?? unset<DynamicBatching>("DynamicBatching")), maxBatchSize: maxBatchSize ?? 0 };
}

/** A message that has nothing but defaults. */
function unset<Message>(type: string): Message {
  return decodeMessage<Message>("control", `amaas.registry.v1.${type}`, Buffer.alloc(0));
}
