import type { Signature } from "../tensor.ts";
import type { ModelProto } from "./model.ts";

/**
 * A signature whose outputs have the labels that the model's metadata says: the property `labels:{output}`, or `labels` for
 * every output without one of its own. A value is a JSON list of texts, or one label per line.
 */
export function withLabels(signature: Signature, { metadataProps = [] }: ModelProto): Signature {
  const values = new Map(metadataProps.map(({ key = "", value = "" }) => [key, value]));
  const outputs = signature.outputs.map((spec) => {
    const value = values.get(`labels:${spec.name}`) ?? values.get("labels");
    return value === undefined ? spec : { ...spec, labels: labelsOf(value) };
  });
  return { ...signature, outputs };
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
