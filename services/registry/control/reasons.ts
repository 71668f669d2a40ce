import type { ModelEntry, VersionEntry } from "../store/entries.ts";
import { fitOf, misfitReason } from "./fit.ts";
import type { Holding, Member } from "./fleet-index.ts";
import type { Place } from "./placement.ts";
import { isServable } from "./serving-policy.ts";

/** What decides why a version is ready nowhere. */
export interface Unready {
  readonly entry: ModelEntry;
  readonly version: VersionEntry;
  /** Where it should be held. */
  readonly places: readonly Place[];
  readonly holdings: readonly Holding[];
  readonly members: readonly Member[];
  /** Whether nodes may still be coming back after a start of the registry. */
  readonly isReunion: boolean;
}

/** Why a version that is meant to be held, and may be, is ready nowhere. */
export function unreadyReason(unready: Unready): string {
  const { places, holdings } = unready;
  return bounded(places.length > 0 ? waitReason(places, holdings) : homelessReason(unready));
}

/** Why no node can hold a version in its state; undefined where one can. */
export function unservableReason(version: VersionEntry): string | undefined {
  if (isServable(version)) return undefined;
  return bounded(`it is ${version.state}${version.stateReason === "" ? "" : `: ${version.stateReason}`}`);
}

function waitReason(places: readonly Place[], holdings: readonly Holding[]): string {
  const isMeant = ({ member }: Holding) => places.some((place) => place.member === member);
  const failed = holdings.filter((holding) => holding.replica.state === "FAILED" && isMeant(holding));
  if (failed.length === 0) return `it is loading on ${named(places.map(({ member }) => member.id))}`;
  const [{ replica }] = failed;
  return `it failed to load on ${named(failed.map(({ member }) => member.id))}: ${replica.reason || "no reason is given"}`;
}

function homelessReason({ entry, version, members, isReunion }: Unready): string {
  if (isReunion) return "nodes are still connecting after a start of the registry";
  const settings = entry.settings?.values ?? {};
  const kinds = [...new Map(members.map(({ kind, capabilities }) => [kind, capabilities])).values()];
  const needs = kinds.flatMap((capabilities) => fitOf(version, settings, capabilities)?.loadedBytes ?? []);
  return misfitReason(version, settings, kinds) ?? `no node has ${sizeText(Math.min(...needs))} of memory free`;
}

function named([first, ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

function sizeText(bytes: number): string {
  if (bytes < 1024 ** 2) return `${bytes} bytes`;
  return bytes < 1024 ** 3 ? `${(bytes / 1024 ** 2).toFixed(1)} MiB` : `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}

function bounded(reason: string): string {
  return reason.length > charactersMax ? `${reason.slice(0, charactersMax - 1)}…` : reason;
}

/** Gateways keep one for every version. */
const charactersMax = 256;
