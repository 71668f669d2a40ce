import type { ModelEntry } from "../store/entries.ts";

/** Where one model's versions are ready. */
export interface ModelRoute {
  readonly model: string;
  /** Every version of the catalogue; `addresses` is empty where none is ready. Both ascending. */
  readonly versions: readonly { readonly version: number; readonly addresses: readonly string[] }[];
  readonly aliases: Readonly<Record<string, number>>;
}

/** One step from a route table to the next. */
export type RouteChange =
  | { readonly kind: "changed"; readonly route: ModelRoute }
  | { readonly kind: "removed"; readonly model: string };

/**
 * The route of a model. An alias that was moved to a version that is not ready anywhere keeps its old target, as long as
 * that one is: a move never costs a request.
 */
export function modelRoute(
  { id, versions, aliases }: ModelEntry,
  readyAddresses: (version: number) => readonly string[],
  previous: ModelRoute | undefined,
): ModelRoute {
  const routed = versions.map(({ number }) => ({ version: number, addresses: [...readyAddresses(number)].sort() }));
  const ready = new Set(routed.filter(({ addresses }) => addresses.length > 0).map(({ version }) => version));
  const target = (alias: string, wanted: number) => {
    const before = previous?.aliases[alias];
    return !ready.has(wanted) && before !== undefined && ready.has(before) ? before : wanted;
  };
  const targets = Object.entries(aliases).map(([alias, wanted]) => [alias, target(alias, wanted)] as const);
  return { model: id, versions: routed, aliases: Object.fromEntries(targets.sort()) };
}

/** Whether two routes of a model say the same. */
export function sameRoute(a: ModelRoute | undefined, b: ModelRoute | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
