import type { Signature } from "../../../lib/tensor.ts";
import type { SaidKind } from "../datasets/formats/file-format.ts";

/** What columns hold that have the names of a model's inputs. */
export function kindsOf({ inputs }: Signature): ReadonlyMap<string, SaidKind> {
  return new Map(inputs.map(({ name, dataType }) => [name, dataType === "BYTES" ? "category" : "number"]));
}
