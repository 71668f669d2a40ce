import { messageOf } from "../../../../lib/errors.ts";
import type { SweepParameter__Output } from "../../../../lib/gen/amaas/trainer/v1/SweepParameter.ts";
import type { TrainSpec__Output } from "../../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { nearestNames } from "../../../../lib/nearest-names.ts";
import { decodeMessage, encodeMessage } from "../../../../lib/rpc/protos.ts";
import { specError } from "../../graph/spec-error.ts";
import { snakeCase } from "../../jobs/snake-case.ts";

/** A field of the training and what it may be. */
export interface Parameter {
  /** Its path as the contract spells it, such as "optimizer.adam.learning_rate". */
  readonly field: string;
  readonly range:
    | { readonly kind: "values"; readonly values: readonly unknown[] }
    | { readonly kind: "between"; readonly low: number; readonly high: number; readonly spread: Spread };
}

/** How numbers lie between two. */
export interface Spread {
  readonly logarithmic: boolean;
  readonly whole: boolean;
}

/** Values by the paths of their fields. */
export type Assignment = Readonly<Record<string, unknown>>;

/** The parameters of a sweep; SPEC_INVALID. */
export function parametersOf(told: readonly SweepParameter__Output[]): readonly Parameter[] {
  if (told.length < 1 || told.length > parametersMax) {
    throw specError("parameters", `a list of ${told.length}`, `1 to ${parametersMax}`);
  }
  const fields = told.map(({ field }) => field);
  return told.map((one, index) => {
    const place = `parameters[${index}]`;
    const { field } = one;
    if (fields.indexOf(field) < index) throw specError(`${place}.field`, `"${field}" again`, "each field once");
    if (unswept.has(field.split(".")[0]!)) {
      throw specError(`${place}.field`, `"${field}"`, `a field other than ${[...unswept].join(", ")}`);
    }
    return { field, range: rangeOf(one, place) };
  });
}

/** A training with some of its fields set. SPEC_INVALID where there is no such field, or it takes no such value. */
export function applied(base: TrainSpec__Output, assignment: Assignment): TrainSpec__Output {
  const changed = structuredClone(base);
  for (const [field, value] of Object.entries(assignment)) setAt(changed, field, value);
  const read = readAgain(changed, Object.keys(assignment));
  for (const [field, value] of Object.entries(assignment)) {
    const seen = JSON.stringify(value);
    if (JSON.stringify(valueAt(read, field)) === seen) continue;
    const parent = valueAt(read, field.split(".").slice(0, -1).join(".")) as object;
    checkKnown(parent, field);
    throw specError("parameters", `${field} = ${seen}`, "a value that the field takes");
  }
  return read;
}

/** Throws SPEC_INVALID with the nearest name for a field that a message has not. */
function checkKnown(message: object, field: string): void {
  const name = field.split(".").at(-1)!;
  if (Object.hasOwn(message, camelCase(name))) return;
  const [nearest] = nearestNames(name, Object.keys(message).map(snakeCase), 1);
  const hint = nearest === undefined ? "" : `; the nearest is ${nearest}`;
  throw specError("parameters", `${field}, which there is not`, `a field of the base${hint}`);
}

function readAgain(changed: TrainSpec__Output, fields: readonly string[]): TrainSpec__Output {
  try {
    return decodeMessage<TrainSpec__Output>("trainer", type, encodeMessage("trainer", type, changed));
  } catch (failure) {
    throw specError("parameters", fields.join(", "), `values that the fields take: ${messageOf(failure)}`);
  }
}

function rangeOf({ range, values, between }: SweepParameter__Output, place: string): Parameter["range"] {
  if (range === "values") {
    const { length } = values!.json;
    if (length < 1 || length > valuesMax) {
      throw specError(`${place}.values.json`, `a list of ${length}`, `1 to ${valuesMax}`);
    }
    return { kind: "values", values: values!.json.map((text, i) => parsed(text, `${place}.values.json[${i}]`)) };
  }
  if (range !== "between") throw specError(place, "without a range", "values or between");
  const { low, high, logarithmic, whole } = between!;
  const isOrdered = Number.isFinite(low) && Number.isFinite(high) && low < high;
  if (!isOrdered) throw specError(`${place}.between`, `${low} to ${high}`, "a low that is less than the high");
  if (logarithmic && low <= 0) throw specError(`${place}.between.low`, low, "more than 0 for a logarithmic range");
  if (whole && !(Number.isSafeInteger(low) && Number.isSafeInteger(high))) {
    throw specError(`${place}.between`, `${low} to ${high}`, "whole numbers");
  }
  return { kind: "between", low, high, spread: { logarithmic, whole } };
}

function parsed(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw specError(place, `"${text}"`, 'JSON, such as 0.01 or "relu"');
  }
}

function setAt(message: object, field: string, value: unknown): void {
  const path = field.split(".").map(camelCase);
  const parent = path.slice(0, -1).reduce(childOf, message as unknown);
  const key = path.at(-1)!;
  if (typeof parent !== "object" || parent === null || !isFieldOf(parent, key)) {
    throw specError("parameters", `${field}`, "a field of a message that is set in the base");
  }
  (parent as Record<string, unknown>)[key] = value;
}

/** Neither what every object of its kind has, such as the length of a list, nor an index beyond a list. */
function isFieldOf(parent: object, key: string): boolean {
  if (key === "" || key in Object.getPrototypeOf(parent)) return false;
  return !Array.isArray(parent) || Object.hasOwn(parent, key);
}

function valueAt(message: object, field: string): unknown {
  if (field === "") return message;
  return field
    .split(".")
    .map(camelCase)
    .reduce(childOf, message as unknown);
}

function childOf(parent: unknown, key: string): unknown {
  if (typeof parent !== "object" || parent === null || !Object.hasOwn(parent, key)) return undefined;
  return (parent as Record<string, unknown>)[key];
}

function camelCase(word: string): string {
  return word.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

const type = "amaas.trainer.v1.TrainSpec";
/** What belongs to the sweep as a whole. */
const unswept = new Set(["model", "dataset", "target_alias", "gate"]);
const parametersMax = 16;
const valuesMax = 100;
