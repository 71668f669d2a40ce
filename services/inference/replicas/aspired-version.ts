import { isDeepStrictEqual } from "node:util";
import type { ArtifactReference } from "../artifacts/artifact-cache.ts";
import type { BatchSettings } from "../batching/batch-settings.ts";
import type { DecoupledSettings } from "../decoupled/decoupled-settings.ts";
import type { Isolation } from "../isolation/isolation.ts";
import type { SequenceSettings } from "../sequences/sequence-settings.ts";
import type { WarmUp } from "../warm-up/warm-up-inputs.ts";

/** One version that the node should hold. */
export interface AspiredVersion {
  /** The id of the model. */
  readonly model: string;
  /** The number. */
  readonly version: number;
  readonly content: VersionContent;
  readonly settings: ReplicaSettings;
  /** The ids of the aliases that point at the version. */
  readonly aliases: readonly string[];
  /** Why it is held, besides by aliases; undefined where the registry's own setting says it. */
  readonly versionPolicy: VersionPolicy | undefined;
  /** What it takes of the node's memory while it is loaded. */
  readonly memoryBytes: number;
  /** Whether it is loaded by its first request, and unloaded where its memory is needed. */
  readonly isOnDemand: boolean;
}

/** Which versions of a model are held. */
export type VersionPolicy =
  | { readonly kind: "latest"; readonly count: number }
  | { readonly kind: "all" }
  | { readonly kind: "specific"; readonly versions: readonly number[] };

/** What is loaded. */
export interface VersionContent {
  /** The id of the variant. */
  readonly variant: string;
  /** The ONNX file. */
  readonly modelFile: ArtifactReference;
  /** The files that it keeps its weights in. */
  readonly externalFiles: readonly ExternalFile[];
}

/** A file beside the ONNX file. */
export interface ExternalFile extends ArtifactReference {
  /** Its path as the ONNX file has it. */
  readonly location: string;
}

/** How a version is run; 0 means as the node is set. */
export interface ReplicaSettings {
  /** What it may run on, best first; empty for what the node offers. */
  readonly executionProviders: readonly string[];
  /** Those of the provider that it comes to run on count; where there are none, its sessions are as the node is set. */
  readonly instanceGroups: readonly InstanceGroup[];
  /** What its sessions run in; undefined for as the node is set. */
  readonly isolation: Isolation | undefined;
  readonly queueRequestsMax: number;
  readonly queueRowsMax: number;
  readonly queueBytesMax: number;
  /** How long a request waits for its answer that has no deadline; 0 for ever. */
  readonly defaultTimeoutMs: number;
  /** How requests are joined; undefined where each runs alone. */
  readonly batching: BatchSettings | undefined;
  /** What is kept between the requests of a sequence; undefined where every request stands alone. */
  readonly sequences: SequenceSettings | undefined;
  /** How one request is answered many times; undefined where each is once. */
  readonly decoupled: DecoupledSettings | undefined;
  /** What runs before a replica is ready. */
  readonly warmUps: readonly WarmUp[];
}

/** Sessions of one kind. */
export interface InstanceGroup {
  /** Empty for any. */
  readonly executionProvider: string;
  readonly count: number;
  /** Threads of the runtime inside one operator, per session. */
  readonly intraOpThreads: number;
}

/** Whether two descriptions mean the same version with the same content, run in the same way. */
export function isSameVersion(a: AspiredVersion, b: AspiredVersion): boolean {
  return isSameNumber(a, b) && isDeepStrictEqual(a.content, b.content) && isDeepStrictEqual(a.settings, b.settings);
}

/** Whether two descriptions mean the same version of the same model. */
export function isSameNumber(a: AspiredVersion, b: AspiredVersion): boolean {
  return a.model === b.model && a.version === b.version;
}

/** Whether two descriptions give one variant other bytes. Variants never change, so the catalogue was made anew in between. */
export function contradict(a: AspiredVersion, b: AspiredVersion): boolean {
  return isSameNumber(a, b) && a.content.variant === b.content.variant && !isDeepStrictEqual(a.content, b.content);
}

/** Every file of a version. */
export function filesOf({ modelFile, externalFiles }: VersionContent): readonly ArtifactReference[] {
  return [modelFile, ...externalFiles];
}
