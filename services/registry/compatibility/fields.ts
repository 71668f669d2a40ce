import type { FieldDifference } from "../../../lib/gen/amaas/registry/v1/FieldDifference.ts";
import type { Version } from "../../../lib/gen/amaas/registry/v1/Version.ts";

type Value = string | number;

/**
 * What tells two versions apart besides their signatures: operators, operator sets, size, parameters, metrics, tags, metadata and
 * hyper-parameters, within each of them in the order of the keys.
 */
export function fieldDifferences(left: Version, right: Version): readonly FieldDifference[] {
  const [leftFields, rightFields] = [fieldsOf(left), fieldsOf(right)];
  return sections.flatMap((section) => sectionDifferences(section, leftFields[section], rightFields[section]));
}

/** In the order in which they are shown. */
const sections = [
  "operators",
  "opsets",
  "size_bytes",
  "parameter_count",
  "metrics",
  "tags",
  "metadata",
  "lineage.hyper_parameters",
] as const;

/** By key; what is a single value has an empty one. */
type Fields = Readonly<Record<string, Value>>;

function fieldsOf(version: Version): Record<(typeof sections)[number], Fields> {
  const { operators = {}, opsets = {}, metrics = {}, tags = {}, metadata = {}, lineage } = version;
  return {
    operators: operators as Fields,
    opsets,
    size_bytes: { "": Number(version.sizeBytes) },
    parameter_count: { "": Number(version.parameterCount) },
    metrics: metrics as Fields,
    tags,
    metadata,
    "lineage.hyper_parameters": lineage?.hyperParameters ?? {},
  };
}

function sectionDifferences(section: string, left: Fields, right: Fields): FieldDifference[] {
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])].sort();
  return keys.flatMap((key) => {
    const [before, after] = [left, right].map((fields) => (Object.hasOwn(fields, key) ? fields[key] : undefined));
    if (before === after) return [];
    const path = key === "" ? section : `${section}.${key}`;
    const areNumbers = typeof before === "number" && typeof after === "number";
    const change = areNumbers ? { change: after - before } : {};
    return [{ path, left: String(before ?? ""), right: String(after ?? ""), ...change }];
  });
}
