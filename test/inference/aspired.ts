import type {
  AspiredVersion,
  InstanceGroup,
  ReplicaSettings,
} from "../../services/inference/replicas/aspired-version.ts";

/** Those of a version that nobody has set. */
export const unsetSettings: ReplicaSettings = {
  executionProviders: ["cpu"],
  instanceGroups: [],
  isolation: undefined,
  queueRequestsMax: 0,
  queueRowsMax: 0,
  queueBytesMax: 0,
  defaultTimeoutMs: 0,
  batching: undefined,
  sequences: undefined,
  decoupled: undefined,
  warmUps: [],
};

/** What a test may say of a version besides its model and number. */
interface Details {
  readonly sha256?: string;
  readonly variant?: string;
  readonly instanceGroups?: readonly InstanceGroup[];
  readonly aliases?: readonly string[];
  readonly memoryBytes?: number;
  readonly isOnDemand?: boolean;
}

/** A version that a node should hold, of one small file, run as the node is set. */
export function aspiredVersion(model: string, version: number, details: Details = {}): AspiredVersion {
  const { sha256 = `${model}${version}`, variant = "default", instanceGroups = [], aliases = [] } = details;
  return {
    model,
    version,
    content: { variant, modelFile: { sha256, sizeBytes: 1 }, externalFiles: [] },
    settings: { ...unsetSettings, instanceGroups },
    aliases,
    versionPolicy: undefined,
    memoryBytes: details.memoryBytes ?? 1,
    isOnDemand: details.isOnDemand ?? false,
  };
}
