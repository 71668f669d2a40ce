import type { Signature } from "../tensor.ts";
import type { ModelProto } from "./model.ts";

/**
 * A signature whose outputs have the labels that the model's metadata says: the property `labels:{output}`, or `labels` for
 * every output without one of its own. A value is a JSON list of texts, or one label per line.
 */
export function withLabels(signature: Signature, { metadataProps = [] }: ModelProto): Signature {
  const values = Object.fromEntries(metadataProps.map(({ key = "", value = "" }) => [key, value]));
  const outputs = signature.outputs.map((spec) => {
    const labels = labelsOfOutput(spec.name, values);
    return labels === undefined ? spec : { ...spec, labels };
  });
  return { ...signature, outputs };
}

/** The labels that a model's metadata say of an output; undefined where they say none. */
export function labelsOfOutput(
  name: string,
  metadata: Readonly<Record<string, string>>,
): readonly string[] | undefined {
  const key = [`labels:${name}`, "labels"].find((each) => Object.hasOwn(metadata, each));
  return key === undefined ? undefined : labelsOf(metadata[key]!);
}

function labelsOf(value: string): readonly string[] {
  const list = listOf(value);
  if (list !== undefined) return list;
  const lines = value.split(/\r?\n/);
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

/** Undefined where it is not a JSON list of texts. */
function listOf(value: string): readonly string[] | undefined {
  if (!value.trimStart().startsWith("[")) return undefined;
  try {
    const list: unknown = JSON.parse(value);
    return Array.isArray(list) && list.every((label) => typeof label === "string") ? list : undefined;
  } catch {
    // A first label may begin like a list.
    return undefined;
  }
}
