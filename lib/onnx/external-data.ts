import { ServiceError } from "../errors.ts";
import type { ModelProto, StringEntryProto, TensorProto } from "./model.ts";

/**
 * The files that a model keeps tensors in: every location, with the name of the first tensor that is there.
 *
 * Throws ARTIFACT_INVALID that names the tensor and its location, where that is not an `isExternalLocation`, and where the
 * tensor is not an initializer of the main graph: those of subgraphs, attributes, functions and sparse ones the runtime
 * reads from the disk of its machine, whatever files it is given.
 */
export function externalLocations(model: ModelProto): Map<string, string> {
  const replaceable = new Set<object>(model.graph?.initializer ?? []);
  const locations = new Map<string, string>();
  const waiting: object[] = [model];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (isExternal(part)) {
      const location = locationOf(part);
      if (!replaceable.has(part)) {
        throw refusal(part, `keeps its data in ${JSON.stringify(location)}`, "only initializers of the main graph may");
      }
      if (!locations.has(location)) locations.set(location, part.name ?? "");
    }
    // One by one: a list of parts may be longer than the arguments of a call.
    for (const value of Object.values(part)) for (const inner of partsIn(value)) waiting.push(inner);
  }
  return locations;
}

/**
 * Refuses a model that keeps tensors elsewhere than in the given files: the runtime would look for them on the disk of its
 * machine, past every digest. Throws ARTIFACT_INVALID that names the tensor and its location, as `externalLocations` does.
 */
export function checkExternalFiles(model: ModelProto, given: Iterable<string>): void {
  const files = new Set(given);
  for (const [location, name] of externalLocations(model)) {
    if (files.has(location)) continue;
    const known = files.size === 0 ? "there are none" : `which are ${[...files].slice(0, namesMax).join(", ")}`;
    throw refusal({ name }, `keeps its data in ${JSON.stringify(location)}`, `one of the external files, ${known}`);
  }
}

/**
 * Whether a text may be the location of an external file: a path below the folder of the ONNX file, which no system takes for
 * anything else, in the one spelling that it has.
 */
export function isExternalLocation(text: string): boolean {
  return !/[\\:\0]/.test(text) && text.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** `TensorProto.DataLocation.EXTERNAL` of the ONNX format. */
const external = 1;
/** Files that a message names. */
const namesMax = 10;

function isExternal(part: object): part is TensorProto {
  const { dataLocation, externalData } = part as { readonly dataLocation?: unknown; readonly externalData?: unknown };
  return dataLocation === external || (Array.isArray(externalData) && externalData.length > 0);
}

function locationOf(tensor: TensorProto): string {
  const entries = (tensor.externalData ?? []).filter(({ key }: StringEntryProto) => key === "location");
  if (entries.length !== 1) throw refusal(tensor, `has ${entries.length} external locations`, "one");
  const location = entries[0].value ?? "";
  if (isExternalLocation(location)) return location;
  const needed = 'a relative path with "/" between its parts, without "." and ".."';
  throw refusal(tensor, `keeps its data in ${JSON.stringify(location)}`, needed);
}

function refusal({ name = "" }: TensorProto, what: string, needed: string): ServiceError {
  return new ServiceError("ARTIFACT_INVALID", `the tensor ${JSON.stringify(name)} ${what}; needed: ${needed}`);
}

/** The messages that a field holds; numbers, long ones too, texts and bytes hold none. */
function partsIn(value: unknown): readonly object[] {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return [];
  if (!Array.isArray(value)) return [value];
  const [first] = value;
  if (typeof first !== "object" || first === null || "unsigned" in first) return [];
  return value.filter((entry) => !ArrayBuffer.isView(entry));
}
