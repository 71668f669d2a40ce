import type { NodeFacts } from "./balance/node-facts.ts";
import { interned } from "./interned.ts";
import type { AliasRoute, ModelRoute, RateLimits, Traffic, VersionRoute } from "./route-facts.ts";
import { type PlacedTable, tableOf } from "./route-table.ts";

/**
 * A route table as the text of a file, in parts: of 10,000 models it is some megabytes, and calls should not wait for all of it to be
 * made.
 */
export function* partsOfTable({ table, position }: PlacedTable): Generator<string> {
  const nodes = [...table.nodes].map(([address, facts]) => ({ address, ...facts }));
  yield `${JSON.stringify({ format, ...position, nodes }).slice(0, -1)},"models":[`;
  let part = "";
  let count = 0;
  for (const route of table.models.values()) {
    part += (count > 0 ? "," : "") + textOfRoute(route);
    if (++count % modelsPerPart > 0) continue;
    yield part;
    part = "";
  }
  yield `${part}]}`;
}

const modelsPerPart = 100;

function textOfRoute({ model, versions, aliases, traffic }: ModelRoute): string {
  return JSON.stringify({
    model,
    versions: [...versions].map(([version, route]) => ({ version, ...route })),
    aliases: [...aliases].map(([alias, route]) => ({ alias, ...route })),
    traffic,
  });
}

/** Reads what `partsOfTable` makes, joined; throws an Error that says what is wrong with anything else. */
export function tableOfText(text: string): PlacedTable {
  const { format: seen, epoch, sequence, nodes, models } = objectOf(JSON.parse(text), "the file");
  if (seen !== format) throw new Error(`its format is ${JSON.stringify(seen)}, needed: ${format}`);
  return {
    table: tableOf(
      arrayOf(models, "models").map((value) => routeOf(objectOf(value, "a model"))),
      arrayOf(nodes, "nodes").map((value) => nodeOf(objectOf(value, "a node"))),
    ),
    position: { epoch: textOf(epoch), sequence: wholeOf(sequence, 0) },
  };
}

const format = 3;

type Fields = Record<string, unknown>;

function routeOf({ model, versions, aliases, traffic }: Fields): ModelRoute {
  return {
    model: nameOf(model),
    versions: new Map(arrayOf(versions, "versions").map((value) => versionOf(objectOf(value, "a version")))),
    aliases: new Map(arrayOf(aliases, "aliases").map((value) => aliasOf(objectOf(value, "an alias")))),
    traffic: traffic === undefined ? undefined : trafficOf(objectOf(traffic, "the traffic")),
  };
}

function nodeOf({ address, zone, capacity }: Fields): [string, NodeFacts] {
  return [nameOf(address), { zone: textOf(zone), capacity: wholeOf(capacity, 1) }];
}

function versionOf({ version, replicas, reason }: Fields): [number, VersionRoute] {
  return [
    wholeOf(version, 1),
    { replicas: arrayOf(replicas, "replicas").map(nameOf).map(interned), reason: textOf(reason) },
  ];
}

function aliasOf({ alias, targets, mirrors }: Fields): [string, AliasRoute] {
  const list = arrayOf(targets, "targets").map((value) => {
    const { version, weight } = objectOf(value, "a target");
    return { version: wholeOf(version, 1), weight: wholeOf(weight, 1) };
  });
  if (list.length === 0) throw new Error("an alias has no targets");
  const copies = arrayOf(mirrors, "mirrors").map((value) => {
    const { version, share } = objectOf(value, "a mirror");
    return { version: wholeOf(version, 1), share: shareOf(share) };
  });
  return [nameOf(alias), { targets: list, mirrors: copies }];
}

function trafficOf({ hedging, perPrincipal, total, ...traffic }: Fields): Traffic {
  const limits = (value: unknown) => (value === undefined ? undefined : limitsOf(objectOf(value, "the limits")));
  return {
    defaultTimeoutMs: wholeOf(traffic.defaultTimeoutMs, 0),
    stickyKey: textOf(traffic.stickyKey),
    versionOverride: traffic.versionOverride === true,
    hedging: hedging === undefined ? undefined : hedgingOf(objectOf(hedging, "the hedging")),
    perPrincipal: limits(perPrincipal),
    total: limits(total),
  };
}

function hedgingOf({ quantile, delayMsMin }: Fields): Traffic["hedging"] {
  return { quantile: shareOf(quantile), delayMsMin: wholeOf(delayMsMin, 0) };
}

function limitsOf(limits: Fields): RateLimits {
  return {
    requestsPerSecond: rateOf(limits.requestsPerSecond),
    concurrentRequests: wholeOf(limits.concurrentRequests, 0),
    rowsPerSecond: rateOf(limits.rowsPerSecond),
    bytesPerSecond: rateOf(limits.bytesPerSecond),
  };
}

function objectOf(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${what} is not an object`);
  return value as Fields;
}

function arrayOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${what} is not a list`);
  return value;
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new Error(`${JSON.stringify(value)} is not a text`);
  return value;
}

function nameOf(value: unknown): string {
  if (textOf(value) === "") throw new Error('"" is not a name');
  return value as string;
}

function wholeOf(value: unknown, min: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min) return value as number;
  throw new Error(`${JSON.stringify(value)} is not a whole number from ${min}`);
}

function rateOf(value: unknown): number {
  if (typeof value === "number" && value >= 0) return value;
  throw new Error(`${JSON.stringify(value)} is not a rate from 0`);
}

function shareOf(value: unknown): number {
  if (typeof value === "number" && value > 0 && value <= 1) return value;
  throw new Error(`${JSON.stringify(value)} is not a share above 0 and up to 1`);
}
