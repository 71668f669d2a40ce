import type { AliasRoute, ModelRoute, PlacedTable, VersionRoute } from "./route-table.ts";

/** A route table as the text of a file. */
export function textOfTable({ table, position }: PlacedTable): string {
  const models = [...table.values()].map(({ model, versions, aliases }) => ({
    model,
    versions: [...versions].map(([version, route]) => ({ version, ...route })),
    aliases: [...aliases].map(([alias, route]) => ({ alias, ...route })),
  }));
  return JSON.stringify({ format, ...position, models });
}

/** Reads what `textOfTable` wrote; throws an Error that says what is wrong with anything else. */
export function tableOfText(text: string): PlacedTable {
  const { format: seen, epoch, sequence, models } = objectOf(JSON.parse(text), "the file");
  if (seen !== format) throw new Error(`its format is ${JSON.stringify(seen)}, needed: ${format}`);
  return {
    table: new Map(
      arrayOf(models, "models").map((value) => {
        const route = routeOf(objectOf(value, "a model"));
        return [route.model, route];
      }),
    ),
    position: { epoch: textOf(epoch), sequence: wholeOf(sequence, 0) },
  };
}

const format = 2;

type Fields = Record<string, unknown>;

function routeOf({ model, versions, aliases }: Fields): ModelRoute {
  return {
    model: nameOf(model),
    versions: new Map(arrayOf(versions, "versions").map((value) => versionOf(objectOf(value, "a version")))),
    aliases: new Map(arrayOf(aliases, "aliases").map((value) => aliasOf(objectOf(value, "an alias")))),
  };
}

function versionOf({ version, replicas, reason }: Fields): [number, VersionRoute] {
  return [wholeOf(version, 1), { replicas: arrayOf(replicas, "replicas").map(nameOf), reason: textOf(reason) }];
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

function shareOf(value: unknown): number {
  if (typeof value === "number" && value > 0 && value <= 1) return value;
  throw new Error(`${JSON.stringify(value)} is not a share above 0 and up to 1`);
}
