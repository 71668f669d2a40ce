import { messageOf } from "../../../../lib/errors.ts";
import { checkColumnCount } from "./columns-max.ts";
import { recordBytesMax } from "./csv-tokenizer.ts";
import { badValue, datasetError } from "./dataset-error.ts";
import type { DatasetFile, SaidKind } from "./file-format.ts";
import { badTime, isIsoTime } from "./iso-times.ts";
import { textLines } from "./text-lines.ts";

/** What a field of the objects is. */
export type FieldType = "DOUBLE" | "BOOLEAN" | "VARCHAR" | "TIMESTAMP" | "JSON";

/** What a file of JSON objects, one per line, has. */
export interface NdjsonStructure {
  readonly rowCount: number;
  /** By name, in the order in which they are seen first. */
  readonly fields: ReadonlyMap<string, FieldType>;
}

/**
 * Reads all of a file for its fields; a field's type is that of its first value that is not null. Throws DATASET_INVALID that names the
 * line for anything but an object, a value of another type than the field's, a number that FP32 does not hold, and names that differ in
 * case alone, which DuckDB does not tell apart.
 */
export async function ndjsonStructure(path: string, kinds: DatasetFile["kinds"]): Promise<NdjsonStructure> {
  const fields = new Map<string, Field>();
  const spellings = new Map<string, string>();
  let rowCount = 0;
  for await (const { line, text } of textLines(path, recordBytesMax)) {
    rowCount++;
    for (const [name, value] of Object.entries(objectOf(text, line))) {
      checkSpelling(spellings, name, line);
      if (value === null) continue;
      fields.set(name, fieldWith(value, { name, line, said: kinds?.get(name) }, fields.get(name)));
    }
  }
  if (rowCount === 0) throw datasetError("the file has no rows; needed: at least 1");
  // A field that is always null may as well be one of numbers.
  return {
    rowCount,
    fields: new Map([...spellings.values()].map((name) => [name, fields.get(name)?.type ?? "DOUBLE"])),
  };
}

interface Field {
  readonly type: FieldType;
  /** Of the value that it has its type from. */
  readonly line: number;
}

function objectOf(text: string, line: number): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (failure) {
    throw datasetError(`line ${line} is not JSON: ${messageOf(failure)}`, { place: `line ${line}` });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw datasetError(`line ${line} is ${text.slice(0, 64)}; needed: a JSON object`, { place: `line ${line}` });
}

function checkSpelling(spellings: Map<string, string>, name: string, line: number): void {
  if (name === "") throw datasetError(`line ${line} has a field without a name; needed: a name for each`);
  const known = spellings.get(name.toLowerCase());
  if (known === undefined) {
    spellings.set(name.toLowerCase(), name);
    checkColumnCount(spellings.size);
  } else if (known !== name) {
    const seen = `${JSON.stringify(name)} beside ${JSON.stringify(known)}`;
    throw datasetError(`line ${line} has the field ${seen}; needed: names that differ in more than case`);
  }
}

function typeOf(value: unknown): FieldType {
  if (typeof value === "number") return "DOUBLE";
  if (typeof value === "boolean") return "BOOLEAN";
  return typeof value === "string" ? "VARCHAR" : "JSON";
}

const texts = {
  DOUBLE: "a number",
  BOOLEAN: "true or false",
  VARCHAR: "a text",
  TIMESTAMP: "a time",
  JSON: "a list or an object",
} as const satisfies Record<FieldType, string>;

/** Where a value is, and what is said of its field. */
interface FieldPlace {
  readonly name: string;
  readonly line: number;
  readonly said: SaidKind | undefined;
}

/** The field with one more value, of which another type is refused unless both are categories. */
function fieldWith(value: unknown, { name, line, said }: FieldPlace, field: Field | undefined): Field {
  const place = `line ${line}`;
  const column = JSON.stringify(name);
  const own = said === "time" && typeof value === "string" ? "TIMESTAMP" : typeOf(value);
  const type = field?.type ?? (said === "number" && own !== "BOOLEAN" ? "DOUBLE" : own);
  if (own !== type && said === "category" && own !== "JSON" && type !== "JSON") return { type: "VARCHAR", line };
  if (own !== type) {
    const needed = field === undefined ? texts[type] : `${texts[type]}, as in line ${field.line}`;
    const seen = JSON.stringify(value).slice(0, 64);
    throw datasetError(`${place}, column ${column} is ${seen}; needed: ${needed}`, { place, column: name });
  }
  if (own === "DOUBLE" && !Number.isFinite(Math.fround(value as number))) {
    throw badValue(place, { label: column, name }, String(value));
  }
  if (own === "TIMESTAMP" && !isIsoTime(String(value))) throw badTime(place, { label: column, name }, String(value));
  return field ?? { type, line };
}
