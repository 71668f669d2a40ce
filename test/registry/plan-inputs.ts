import { versionName } from "../../lib/resource-names.ts";
import type { NodeCapabilities, NodeState, ReplicaState } from "../../services/registry/control/node-state.ts";
import type { Planner } from "../../services/registry/control/planner.ts";
import type {
  AliasAim,
  AliasEntry,
  ModelEntry,
  VariantEntry,
  VersionEntry,
} from "../../services/registry/store/entries.ts";

/** A variant that takes one byte of memory, unless said otherwise. */
export function variantOf(changes: Partial<VariantEntry> = {}): VariantEntry {
  return {
    id: "default",
    digest: "",
    precision: "fp32",
    executionProviders: [],
    modelFile: { location: "", sha256: "", sizeBytes: 1 },
    externalFiles: [],
    sizeBytes: 1,
    memoryBytes: 0,
    ...changes,
  };
}

/** A version that is READY and runs everywhere, unless said otherwise. */
export function versionOf(number: number, changes: Partial<VersionEntry> = {}): VersionEntry {
  return { number, state: "READY", stateReason: "", opsets: {}, variants: [variantOf()], ...changes };
}

/** An alias's aim at one version, or at several by weight. */
export function aimAt(
  targets: number | Readonly<Record<number, number>>,
  revision = 1,
  mirrors: number[] = [],
): AliasAim {
  const weights = typeof targets === "number" ? { [targets]: 1 } : targets;
  return {
    revision,
    targets: Object.entries(weights).map(([version, weight]) => ({ version: Number(version), weight })),
    mirrors: mirrors.map((version) => ({ version, share: 1 })),
  };
}

type Aliases = Readonly<Record<string, number | AliasEntry>>;

/** The model "m" with versions 1 to `versions`, or these; an alias that is a number has always pointed there. */
export function entryOf(
  versions: number | readonly VersionEntry[],
  aliases: Aliases = {},
  changes: Partial<ModelEntry> = {},
): ModelEntry {
  const list =
    typeof versions === "number" ? Array.from({ length: versions }, (_, index) => versionOf(index + 1)) : versions;
  const pairs = Object.entries(aliases).map(([alias, target]): [string, AliasEntry] => [
    alias,
    typeof target === "number" ? { present: aimAt(target), reached: aimAt(target) } : target,
  ]);
  return { id: "m", versions: list, aliases: new Map(pairs), settings: undefined, ...changes };
}

/** A node that offers "cpu" and has no bound of memory; `replicas` by model and number, as in "m/1". */
export function nodeOf(
  id: string,
  replicas: Readonly<Record<string, ReplicaState["state"] | Partial<ReplicaState>>> = {},
  {
    capabilities = {},
    ...changes
  }: Partial<Omit<NodeState, "capabilities">> & { capabilities?: Partial<NodeCapabilities> } = {},
): NodeState {
  const held = Object.entries(replicas).map(([short, replica]): [string, ReplicaState] => {
    const [model, version] = short.split("/");
    const said = typeof replica === "string" ? { state: replica } : replica;
    const whole = {
      model,
      version: Number(version),
      state: "READY" as const,
      reason: "",
      variant: "",
      executionProvider: "",
      fallbackExecutionProviders: [],
      exchangeFailure: "",
    };
    return [versionName(model, Number(version)), { ...whole, ...said }];
  });
  return {
    id,
    address: `${id}:1`,
    zone: "",
    capabilities: {
      executionProviders: ["cpu"],
      opsets: {},
      memoryBudgetBytes: 0,
      runtime: "",
      cores: 1,
      missingExecutionProviders: {},
      ...capabilities,
    },
    memoryBytes: 0,
    draining: false,
    replicas: new Map(held),
    load: { outstandingRequests: 0, answeredRequests: 0 },
    ...changes,
  };
}

/** The node with exactly what it is told to hold, in the state that `stateOf` gives. */
export function obedient(
  node: NodeState,
  planner: Planner,
  stateOf: (version: string) => ReplicaState["state"] = () => "READY",
): NodeState {
  const replicas = planner.assignmentOf(node.id).map(({ version, fit }): [string, ReplicaState] => {
    const [, model, , number] = version.split("/");
    const held = {
      model,
      version: Number(number),
      variant: fit.variant.id,
      executionProvider: fit.executionProviders[0],
      fallbackExecutionProviders: [],
      exchangeFailure: "",
    };
    return [version, { ...held, state: stateOf(version), reason: "" }];
  });
  return { ...node, replicas: new Map(replicas) };
}
