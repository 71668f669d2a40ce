import type { Value } from "../../../../lib/onnx/graph.ts";
import type { NetworkInput, Served } from "../network.ts";
import { specError } from "../spec-error.ts";
import { type ImportedModel, modelField } from "./imported-model.ts";

/** What goes into a model. Throws SPEC_INVALID for an input that is not of rows, or has sizes that are not known. */
export function inputOf({ input, columns, nodes, held }: ImportedModel): NetworkInput {
  if (columns !== undefined) {
    const { dataType, width } = columns;
    if (dataType === "FP32") return { dataType, rowShape: [width] };
    return { dataType, rowShape: [width], tokenCount: tokenCountOf(input, nodes, held) };
  }
  const { name, dataType, shape, unknown } = input;
  const [rows, ...row] = shape;
  const seen = unknown === undefined ? `${dataType} [${shape.join(", ")}]` : `of another type (${unknown})`;
  if (!/^(FP32|INT32|INT64)$/.test(dataType)) {
    throw specError(
      modelField,
      `a model whose input ${name} is ${seen}`,
      "an input of FP32, or of INT32 or INT64 for tokens",
    );
  }
  if (unknown !== undefined || typeof rows !== "string" || !row.every((size) => typeof size === "number")) {
    const needed = "an input whose first size is open, for rows, and whose other sizes are known";
    throw specError(modelField, `a model whose input ${name} is ${seen}`, needed);
  }
  if (dataType === "FP32") return { dataType, rowShape: row };
  return { dataType: "INT32", rowShape: row, tokenCount: tokenCountOf(input, nodes, held) };
}

/** How many rows the table has that tokens are looked up in. */
function tokenCountOf(input: Value, nodes: ImportedModel["nodes"], held: ImportedModel["held"]): number | undefined {
  const lookUp = nodes.find(
    ({ operator, inputs }) => operator === "Gather" && inputs[1] === input && held.has(inputs[0]!),
  );
  const size = lookUp?.inputs[0]?.shape[0];
  return typeof size === "number" ? size : undefined;
}

/** A model's own names, doc string and metadata. With a new head the labels of the old one are left out. */
export function servedAs({ read: { source }, input, columns, cut }: ImportedModel, hasNewHead: boolean): Served {
  const entries = (source.metadataProps ?? []).map(({ key = "", value = "" }) => [key, value] as const);
  const isOld = (key: string) => hasNewHead && (key === "labels" || key.startsWith("labels:"));
  const named = source.graph?.input?.find(({ name }) => name === input.name)?.type?.tensorType?.shape?.dim?.[0];
  return {
    input: { name: input.name, dataType: columns?.numbers ?? (input.dataType as Served["input"]["dataType"]) },
    columns: columns?.columns,
    outputName: cut.outputName,
    rows: columns?.rows ?? (named?.dimParam || "batch"),
    notes: {
      docString: source.docString,
      metadata: Object.fromEntries(entries.filter(([key]) => !isOld(key))),
    },
  };
}
