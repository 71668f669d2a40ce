import type { ServingSettings__Output } from "../../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import type { Traffic__Output } from "../../../lib/gen/amaas/registry/v1/Traffic.ts";
import type { VersionState } from "./schema.ts";

/** What the control plane knows of one model that is not deleted. */
export interface ModelEntry {
  readonly id: string;
  /** Those that are not deleted, ascending by number. */
  readonly versions: readonly VersionEntry[];
  /** By id. */
  readonly aliases: ReadonlyMap<string, AliasEntry>;
  /** Undefined where nobody has set anything. */
  readonly settings: SettingsEntry | undefined;
}

export interface VersionEntry {
  readonly number: number;
  readonly state: VersionState;
  readonly stateReason: string;
  /** The operator sets that its files ask for, by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Those that are READY, the primary first. */
  readonly variants: readonly VariantEntry[];
}

export interface VariantEntry {
  readonly id: string;
  /** Names the content of all its files. */
  readonly digest: string;
  readonly precision: string;
  /** Where it may run; empty means everywhere. */
  readonly executionProviders: readonly string[];
  readonly modelFile: FileEntry;
  readonly externalFiles: readonly FileEntry[];
  /** Of all its files. */
  readonly sizeBytes: number;
  /** What validation has measured; 0 where it has not. */
  readonly memoryBytes: number;
}

export interface FileEntry {
  /** Its path as the ONNX file has it; empty for the ONNX file itself. */
  readonly location: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface AliasEntry {
  /** Where it points. */
  readonly present: AliasAim;
  /** Where it led when last one of its targets was ready; undefined where none was since it was made. */
  readonly reached: AliasAim | undefined;
}

/** Where an alias points in one of its revisions. */
export interface AliasAim {
  readonly revision: number;
  readonly targets: readonly { readonly version: number; readonly weight: number }[];
  readonly mirrors: readonly { readonly version: number; readonly share: number }[];
}

/** The newest serving settings of a model. */
export interface SettingsEntry {
  /** What nodes hold and how they run it, as the contract has it. */
  readonly values: Partial<Omit<ServingSettings__Output, "traffic">>;
  /** How gateways route calls; undefined where nobody has set it. */
  readonly traffic: Traffic__Output | undefined;
}

/** An alias that leads where it points, with a target that is ready. */
export interface ReachedAlias {
  readonly model: string;
  readonly alias: string;
  readonly revision: number;
}

/** What is read of a model again after something of it has changed. */
export interface EntryUpdate extends Omit<ModelEntry, "versions"> {
  /** Those that were asked for, and all that aliases lead to, by number; undefined where they are deleted. */
  readonly versions: ReadonlyMap<number, VersionEntry | undefined>;
}

/** Whether plans depend on resources of this kind. */
export function isPlannedBy(kind: string): boolean {
  return kind === "MODEL" || kind === "VERSION" || kind === "ALIAS" || kind === "SERVING_SETTINGS";
}
