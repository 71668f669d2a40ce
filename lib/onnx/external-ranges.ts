import { ServiceError } from "../errors.ts";
import { elementBytes } from "../tensor.ts";
import { dataTypeOf } from "./element-type.ts";
import { integerOf, type ModelProto, type TensorProto } from "./model.ts";

/**
 * Refuses a model whose initializers lie beyond the ends of their external files, or take other bytes there than their shapes need: the
 * runtime says of these only where in its own source it stumbled. `fileBytes` are the sizes of the files by their locations; dimensions must
 * be exact numbers.
 *
 * Throws ARTIFACT_INVALID that names the tensor, what it says, and what is needed.
 */
export function checkExternalRanges({ graph }: ModelProto, fileBytes: ReadonlyMap<string, number>): void {
  for (const tensor of graph?.initializer ?? []) {
    const location = tensor.externalData?.find(({ key }) => key === "location")?.value ?? "";
    const bytes = fileBytes.get(location);
    if (bytes !== undefined) checkRange(tensor, location, bytes);
  }
}

function checkRange(tensor: TensorProto, location: string, fileBytes: number): void {
  const offset = numberOf(tensor, "offset") ?? 0;
  // The runtime takes 0 for a length that is not given.
  const length = numberOf(tensor, "length") || undefined;
  const needed = bytesOf(tensor);
  if (length !== undefined && needed !== undefined && length !== needed) {
    throw refusal(tensor, `has ${length} bytes in ${JSON.stringify(location)}`, `${needed}, as its shape says`);
  }
  const end = offset + (length ?? needed ?? 0);
  if (end > fileBytes) {
    const seen = `keeps its data in bytes ${offset} to ${end} of ${JSON.stringify(location)}`;
    throw refusal(tensor, seen, `a range within its ${fileBytes} bytes`);
  }
}

function numberOf(tensor: TensorProto, key: "offset" | "length"): number | undefined {
  const values = (tensor.externalData ?? []).filter((entry) => entry.key === key).map(({ value = "" }) => value);
  if (values.length === 0) return undefined;
  const number = values.length === 1 && /^\d{1,16}$/.test(values[0]!) ? Number(values[0]) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  const seen = `has the external ${key} ${values.map((value) => JSON.stringify(value.slice(0, charactersMax))).join(", ")}`;
  throw refusal(tensor, seen, "one whole number from 0 to 2^53 - 1");
}

/** How much of a value a message shows. */
const charactersMax = 100;

/** What a tensor takes; undefined where the runtime has to say whether there is such a one. */
function bytesOf({ dataType = 0, dims = [] }: TensorProto): number | undefined {
  const type = dataTypeOf(dataType);
  const size = type && elementBytes[type];
  if (size === undefined) return undefined;
  const bytes = dims.reduce<number>((product, dim) => product * integerOf(dim), size);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function refusal({ name = "" }: TensorProto, what: string, needed: string): ServiceError {
  return new ServiceError("ARTIFACT_INVALID", `the tensor ${JSON.stringify(name)} ${what}; needed: ${needed}`);
}
