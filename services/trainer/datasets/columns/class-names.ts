import { labelsOfOutput } from "../../../../lib/onnx/labels.ts";
import { datasetError } from "../formats/dataset-error.ts";
import type { FittedColumn } from "./preprocessing.ts";
import type { OpenForm, RowForm } from "./row-form.ts";
import type { UsedColumns } from "./used-columns.ts";

/** Targets that are texts, with the classes in the order in which the network has them already, where it has labels. */
export function withClassNames(used: UsedColumns, form: RowForm | OpenForm): UsedColumns {
  // A network whose input is open is none that was trained before.
  const labels = "open" in form ? undefined : labelsOf(form);
  if (labels === undefined) return used;
  const targets = used.targets.map((column) => (column.kind === "text" ? { ...column, categories: labels } : column));
  return { ...used, targets };
}

/** The names of the network's classes, if they have any. Throws DATASET_INVALID where there are more or fewer than the network gives. */
export function classNamesOf(
  { targets: [target] }: { readonly targets: readonly FittedColumn[] },
  form: RowForm,
): readonly string[] | undefined {
  if (!form.classes || target?.encoder.kind !== "index") return labelsOf(form);
  const { name, encoder } = target;
  const names = encoder.categories.map(String);
  const needed = form.classBound!.count!;
  if (names.length === needed) return names;
  const some = names.slice(0, 5).map((each) => JSON.stringify(each));
  const seen = `${names.length} ${names.length === 1 ? "class" : "classes"}, ${some.join(", ")}${names.length > 5 ? ", …" : ""}`;
  throw datasetError(`the column ${JSON.stringify(name)} has ${seen}; needed: ${needed}, as many as the network gives`);
}

function labelsOf({ classes, network: { served, outputShape } }: RowForm): readonly string[] | undefined {
  if (!classes || served === undefined) return undefined;
  const labels = labelsOfOutput(served.outputName, served.notes.metadata ?? {});
  return labels?.length === outputShape.at(-1) ? labels : undefined;
}
