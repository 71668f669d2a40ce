import type { ModelRoute, RouteTable } from "./route-table.ts";

/** A route table as the text of a file. */
export function textOfTable(table: RouteTable): string {
  const models = [...table.values()].map(({ model, versions, aliases }) => ({
    model,
    versions: [...versions].map(([version, addresses]) => ({ version, addresses })),
    aliases: Object.fromEntries(aliases),
  }));
  return JSON.stringify({ format, models });
}

/** Reads what `textOfTable` wrote; throws an Error that says what is wrong with anything else. */
export function tableOfText(text: string): RouteTable {
  const { format: seen, models } = objectOf(JSON.parse(text), "the file");
  if (seen !== format) throw new Error(`its format is ${JSON.stringify(seen)}, needed: ${format}`);
  return new Map(arrayOf(models, "models").map((value) => [textOf(objectOf(value, "a model").model), routeOf(value)]));
}

const format = 1;

function routeOf(value: unknown): ModelRoute {
  const { model, versions, aliases } = objectOf(value, "a model");
  return {
    model: textOf(model),
    versions: new Map(
      arrayOf(versions, "versions").map((entry) => {
        const { version, addresses } = objectOf(entry, "a version");
        return [numberOf(version), arrayOf(addresses, "addresses").map(textOf)];
      }),
    ),
    aliases: new Map(
      Object.entries(objectOf(aliases, "aliases")).map(([alias, version]) => [alias, numberOf(version)]),
    ),
  };
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${what} is not an object`);
  return value as Record<string, unknown>;
}

function arrayOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${what} is not a list`);
  return value;
}

function textOf(value: unknown): string {
  if (typeof value !== "string" || value === "") throw new Error(`${JSON.stringify(value)} is not a name`);
  return value;
}

function numberOf(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1)
    throw new Error(`${JSON.stringify(value)} is not a version`);
  return value as number;
}
