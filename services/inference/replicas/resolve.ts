import { ServiceError } from "../../../lib/errors.ts";
import { defaultAlias, versionNumber } from "../../../lib/resource-names.ts";
import type { Signature } from "../../../lib/tensor.ts";
import type { BatchSettings } from "../batching/batch-settings.ts";
import { quoted, quotedList } from "../tensors/tensor-fault.ts";
import { type ModelEntry, type ModelTable, stateOf, takesRequests, type VersionEntry } from "./model-table.ts";
import type { Placement } from "./placement.ts";
import { notReady, type Replica } from "./replica.ts";

/**
 * The version that a request means: `reference` is a number, an alias, or empty for the alias `default`, and without
 * such an alias for the highest version that is ready.
 *
 * Throws MODEL_NOT_FOUND or VERSION_NOT_FOUND with what there is instead.
 */
export function resolveVersion(table: ModelTable, model: string, reference: string): VersionEntry {
  const entry = table.get(model);
  if (entry === undefined) {
    const message = `Request for unknown model: ${quoted(model)} is not found; models here: ${quotedList([...table.keys()])}`;
    throw new ServiceError("MODEL_NOT_FOUND", message);
  }
  const found = entry.versions.get(numberOf(entry, reference) ?? Number.NaN);
  if (found !== undefined) return found;
  const versions = [...entry.versions.keys()];
  // Triton has no aliases, and its clients look for what it says of texts that are no number.
  const why = /^-?\d*$/.test(reference)
    ? ""
    : `: failed to get model version from specified version string ${quoted(reference)}`;
  const message =
    `Request for unknown model: ${quoted(model)} version ${quoted(reference)} is not found${why}; ` +
    `versions here: ${versions.slice(-versionsMax).join(", ")}; aliases: ${quotedList([...entry.aliases.keys()])}`;
  throw new ServiceError("VERSION_NOT_FOUND", message);
}

/** A version that takes requests, with its signature. Besides `resolveVersion`'s faults throws MODEL_NOT_READY. */
export function readyVersion(table: ModelTable, model: string, reference: string): ReadyVersion {
  return readyEntry(resolveVersion(table, model, reference));
}

/** The same of a version that was found. */
export function readyEntry(entry: VersionEntry): ReadyVersion {
  const state = stateOf(entry);
  if (state.kind !== "ready" || entry.replica === undefined) throw notReady(entry, state);
  const { version, replica, placement } = entry;
  return { version, replica, placement, signature: state.signature, batching: replica.batching };
}

/** A version that takes requests. */
export interface ReadyVersion {
  readonly version: number;
  readonly replica: Replica;
  readonly placement: Placement;
  readonly signature: Signature;
  /** How requests are joined. */
  readonly batching: BatchSettings;
}

function numberOf({ versions, aliases }: ModelEntry, reference: string): number | undefined {
  const number = versionNumber(reference);
  if (number !== undefined) return number;
  if (reference !== "") return aliases.get(reference);
  const newestFirst = [...versions.values()].reverse();
  const ready = newestFirst.find((version) => takesRequests(version));
  return aliases.get(defaultAlias) ?? (ready ?? newestFirst[0])?.version;
}

/** Versions named in a message, the newest. */
const versionsMax = 20;
